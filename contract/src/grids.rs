//! The grid dimension: a city's own polygons by level, their neighbours, and where a point or an address lies.
