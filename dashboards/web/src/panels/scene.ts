// What every panel is given to draw itself: the city as known, the viewer's choice, and how fresh it all is.
import type { City } from "../city.ts";
import type { Freshness } from "../freshness.ts";
import type { View } from "../view.ts";

export interface Scene {
  city: City;
  view: View;
  fresh: Freshness;
  /** The server's clock, ms. */
  now: number;
  /** The city's clock (watermark), ms. */
  asOf: number | null;
  zone: string;
  cityName: string;
  /** Changes the view; the page asks and draws again. */
  choose(change: Partial<View>): void;
  redraw(): void;
}
