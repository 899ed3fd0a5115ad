// The only place that knows ECharts: which parts of it are bundled, how a chart lives in its element, and the look all charts share.
import { LineChart, MapChart } from "echarts/charts";
import { AriaComponent, GeoComponent, GridComponent, TooltipComponent } from "echarts/components";
import * as echarts from "echarts/core";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

echarts.use([LineChart, MapChart, GeoComponent, GridComponent, TooltipComponent, AriaComponent, LabelLayout, CanvasRenderer]);

export const INK = { text: "#e9f0fa", soft: "#a9b9d2", line: "#2c3d5a", accent: "#6cb6ff", usual: "#c7d3e6", ground: "#101a2b" };

export type Option = echarts.EChartsCoreOption;

const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** Size of a rem in px: canvas text follows the wall's scale as all other text does. */
export function rem(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

export interface Chart {
  show(option: Option): void;
  /** Draws what was shown last once more: after the library changed something of it by itself. */
  again(): void;
  instance: echarts.ECharts;
}

/** A chart that follows the size of its element. `description` is what a screen reader says. */
export function chart(element: HTMLElement): Chart {
  const instance = echarts.init(element, null, { renderer: "canvas" });
  let last: Option | null = null;
  let drawn = "";
  const draw = () => {
    if (last) instance.setOption({ ...last, animation: false }, { lazyUpdate: true });
  };
  const observer = new ResizeObserver(() => {
    if (element.clientWidth > 0 && element.clientHeight > 0) instance.resize();
  });
  observer.observe(element);
  calm.addEventListener("change", draw);
  return {
    instance,
    again: draw,
    show(option) {
      // A wall runs for months: what has not changed is not drawn again.
      const key = JSON.stringify(option, (_, value: unknown) => (typeof value === "function" ? String(value) : value));
      if (key === drawn) return;
      drawn = key;
      last = option;
      draw();
    },
  };
}

/** Tooltips are drawn on the canvas: no markup, so nothing a feed says can become an element. */
export function tooltip(formatter: (params: unknown) => string): Option {
  return {
    renderMode: "richText",
    confine: true,
    transitionDuration: calm.matches ? 0 : 0.2,
    backgroundColor: "#0b1220",
    borderColor: "#4a628c",
    textStyle: { color: INK.text, fontSize: rem() },
    formatter,
  };
}

export function aria(description: string): Option {
  return { enabled: true, label: { enabled: true, description }, decal: { show: false } };
}

/** Rich text reads braces as markup. */
export function plain(text: string): string {
  return text.replaceAll("{", "(").replaceAll("}", ")").replaceAll("|", "/");
}

export const registerMap = echarts.registerMap;
