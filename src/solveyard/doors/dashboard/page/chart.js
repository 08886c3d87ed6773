// Curves over a common quantity, drawn in the page's colours; the library comes when one is needed.
import { connection } from "./feed.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { short, value } from "./words.js";

const HEIGHT = 270; // px, without the legend
const EDGE = 12; // px kept free at the right
export const CURVES = 8; // curves with colours of their own

/** `curves`: {label, values}, over `over`, ascending; `across`, `up`: the axes' names, `unit` short
 *  for the first; `at` says a place on it, `told` a value of a curve; `points`: they are marked, and joined where `lines`;
 *  `log`: by powers of ten, upwards; `ramp`: of many curves the colours go from the first's to the last's.
 *  Drawn anew when `fresh` is another. */
export function Chart({ over, curves, across, up, unit = across, at = value, told = short, points, lines = true, log, ramp, label, fresh }) {
  const place = useRef(null);
  const [uPlot, have] = useState(null);
  const live = connection.value.state === "live";
  useEffect(() => {
    if (uPlot || !live) return;
    import("../vendor/uplot.js").then((library) => have(() => library.default), () => {}); // no page waits for it
  }, [live]);
  useEffect(() => {
    if (!uPlot) return undefined;
    let drawn = null;
    const draw = () => {
      drawn?.destroy();
      drawn = new uPlot(options(place.current), [over, ...curves.map(({ values }) => values)], place.current);
    };
    draw();
    const sized = new ResizeObserver(([entry]) => drawn.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    sized.observe(place.current);
    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      sized.disconnect();
      themed.disconnect();
      dark.removeEventListener("change", draw);
      drawn.destroy();
    };
  }, [fresh, uPlot]);

  function options(element) {
    const colour = (said) => {
      element.style.color = said; // a canvas knows no variables: have this one worked out
      const found = getComputedStyle(element).color;
      element.style.color = "";
      return found;
    };
    const axis = {
      stroke: colour("var(--quiet)"),
      grid: { stroke: colour("var(--line)"), width: 1 },
      ticks: { stroke: colour("var(--line)"), width: 1 },
      font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
    };
    const series = (curve, index) => {
      const part = (100 * index) / (curves.length - 1);
      const stroke = colour(ramp && curves.length > CURVES
        ? `color-mix(in oklab, var(--curve-1) ${part}%, var(--curve-0))` : `var(--curve-${index % CURVES})`);
      return {
        label: curve.label,
        stroke,
        width: lines ? 2 : 0,
        spanGaps: true,
        points: { show: points, size: 7, fill: stroke },
        value: (_, one) => (one == null ? "–" : told(one)),
      };
    };
    return {
      width: element.clientWidth,
      height: HEIGHT,
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [{ ...axis, label: across }, { ...axis, label: up, size: besideTicks }],
      series: [{ label: unit, value: (_, one) => (one == null ? "–" : at(one)) }, ...curves.map(series)],
      cursor: { points: { size: 7 } },
      padding: [12, endOfLast, 0, 0],
    };
  }
  return html`<div class="canvas" ref=${place} role="img" aria-label=${label}></div>`;
}

/** px for the widest tick's text; the axis' name comes beside it. */
function besideTicks(plot, texts, index, cycle) {
  const axis = plot.axes[index];
  if (cycle > 1) return axis._size; // its ticks depend on its size in turn: settle
  return axis.ticks.size + axis.gap + Math.max(...(texts ?? []).map((one) => width(plot, axis, one)), 0);
}

/** px beyond the plot for the half of a tick's text at its end. */
function endOfLast(plot) {
  const [axis] = plot.axes;
  const last = axis._values?.findLast(Boolean);
  return Math.max(EDGE, last ? width(plot, axis, last) / 2 + 2 : 0);
}

function width(plot, axis, text) {
  plot.ctx.font = axis.font[0];
  return text ? plot.ctx.measureText(text).width / devicePixelRatio : 0;
}
