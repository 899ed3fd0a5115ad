//! All streams of the city as one, in time order: a merge that holds one event of each stream and nothing else.
//!
//! Order: by second; within a second by stream (lanes and their faces, then devices), within a stream by its own order. So a
//! range of time cut anywhere gives the same events as the whole.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use contract::Event;

use super::day::DayBook;
use super::lanes::{Case, CaseStream, Face};
use super::sensors::{DeviceStream, Reading};
use super::world::World;
use super::{faces, instant, sensors};

/// How far back the case of a step can lie; twice what the slowest lane needs (a test holds it).
pub(super) const LAG_SECONDS_MAX: i64 = 200 * 86_400;

/// The city's events of a range of time, in order. Endless ranges are fine: nothing is made before it is asked for.
pub struct Events {
    world: Arc<World>,
    book: DayBook,
    streams: Vec<Stream>,
    /// Second and index of the stream of each event that is ready.
    ready: BinaryHeap<Reverse<(i64, usize)>>,
    to: i64,
}

#[derive(Debug)]
enum Stream {
    Steps { cases: Box<CaseStream>, lane: usize, face: Face, head: Option<(i64, Case)> },
    Device { readings: DeviceStream, device: usize, head: Option<Reading> },
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("streams", &self.streams.len())
            .field("ready", &self.ready.len())
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

impl Events {
    pub(super) fn new(world: Arc<World>, from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let (from, to) = (second_at_or_after(from), second_at_or_after(to));
        let steps = (0..world.lanes.len()).flat_map(|lane| world.lanes[lane].origin.faces().iter().map(move |face| (lane, *face)));
        let lanes: Vec<Stream> = steps.map(|(lane, face)| Stream::steps(&world, lane, face, from)).collect();
        let devices =
            (0..world.devices.len()).map(|device| Stream::Device { readings: DeviceStream::new(&world, device, from), device, head: None });
        let streams = lanes.into_iter().chain(devices).collect();
        let mut events = Self { world, book: DayBook::default(), streams, ready: BinaryHeap::new(), to };
        events.start(from);
        events
    }

    /// When the next event happens.
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.ready.peek().map(|Reverse((at, _))| instant(*at))
    }

    fn start(&mut self, from: i64) {
        for index in 0..self.streams.len() {
            // Bounded: a stream begins at most one slot before `from`.
            while let Some(at) = self.streams[index].advance(&self.world, &mut self.book, self.to) {
                if at >= from {
                    self.ready.push(Reverse((at, index)));
                    break;
                }
            }
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut first = self.ready.peek_mut()?;
        let Reverse((_, index)) = *first;
        let stream = &mut self.streams[index];
        let event = stream.event(&self.world);
        match stream.advance(&self.world, &mut self.book, self.to) {
            Some(at) => *first = Reverse((at, index)),
            None => {
                PeekMut::pop(first);
            }
        }
        Some(event)
    }
}

impl Stream {
    fn steps(world: &World, lane: usize, face: Face, from: i64) -> Self {
        // The first slot whose last case shows this face at or after `from`; shifts never decrease, so halving finds it.
        let (mut low, mut high) = ((from - LAG_SECONDS_MAX).div_euclid(world.slot_seconds), from.div_euclid(world.slot_seconds));
        while low < high {
            let middle = low + (high - low) / 2;
            if world.lanes[lane].shift(face, (middle + 1) * world.slot_seconds - 1) >= from {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Self::Steps { cases: Box::new(CaseStream::new(world, lane, low * world.slot_seconds)), lane, face, head: None }
    }

    /// Moves to the next event before `to` and answers its time.
    fn advance(&mut self, world: &World, book: &mut DayBook, to: i64) -> Option<i64> {
        match self {
            Self::Steps { cases, lane, face, head } => {
                *head = loop {
                    let Some(case) = cases.next(world, book, to) else { break None };
                    let at = world.lanes[*lane].shift(*face, case.opened);
                    if at >= to {
                        break None;
                    }
                    if faces::shows(world, &case, *face) {
                        break Some((at, case));
                    }
                };
                head.map(|(at, _)| at)
            }
            Self::Device { readings, head, .. } => {
                *head = readings.next(world, book, to);
                head.map(|reading| reading.at)
            }
        }
    }

    /// The event the stream stands at.
    fn event(&self, world: &World) -> Event {
        match self {
            Self::Steps { face, head, .. } => {
                let (at, case) = head.as_ref().expect("a stream in the heap stands at an event");
                faces::event(world, case, *face, *at)
            }
            Self::Device { device, head, .. } => sensors::event(world, *device, head.expect("a stream in the heap stands at an event")),
        }
    }
}

/// Events lie on whole seconds: those at or after an instant are those at or after the next whole second.
fn second_at_or_after(at: DateTime<Utc>) -> i64 {
    at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0)
}
