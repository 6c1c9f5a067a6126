// Draws the plots of a rehearsal's report. The page says all of it in tables too: without this script nothing is lost
// but the pictures.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import "./page.css";
import { drawn } from "./bands.ts";
import { GROUPS, INCREMENTS, LEGITIMATE, clock, most, short, smoothed, stacked, type Course } from "./course.ts";

interface Line {
  key: string;
  label: string;
  values: (number | null)[];
  said?: (number | null)[]; // what the legend says, where that is not what is drawn
  fill?: boolean;
  dash?: number[];
}

interface Plot {
  id: string;
  lines: Line[];
  say: (value: number) => string;
  top?: number;
  log?: boolean;
  limit?: number;
}

const SYNC = "course";
const HEIGHT = 200;
const MOST_POINTS = 120;

const plots: { plot: uPlot; holder: HTMLElement }[] = [];

function colour(key: string): string {
  const probe = document.querySelector(`[data-colour="${key}"]`);
  return probe ? getComputedStyle(probe).color : "gray";
}

function areas(id: string, values: Course["load"]["good"], top?: number): Plot {
  const sums = stacked(GROUPS, values);
  const lines = GROUPS.map((group, place) => ({
    key: group, label: group, values: sums[place] ?? [], said: values[group] ?? [], fill: true,
  }));
  // The highest first, so that the lower ones are drawn over it.
  return { id, lines: lines.reverse(), say: (value) => `${short(value)} tok/s`, ...(top ? { top } : {}) };
}

function described(course: Course): Plot[] {
  const { load } = course;
  const shared = most([...stacked(GROUPS, load.admitted), ...stacked(GROUPS, load.good)]) * 1.05;
  const joined = Math.ceil(load.mode.length / MOST_POINTS);
  const dashes: Record<string, number[]> = { new: [8, 3], anonymous: [2, 3] };
  const each = (values: Course["load"]["goodput"]): Line[] => LEGITIMATE.map((group) => ({
    key: group, label: group, values: smoothed(values[group] ?? [], load.needs[group] ?? [], joined), ...(dashes[group] ? { dash: dashes[group] } : {}),
  }));
  return [
    areas("offered", load.offered),
    areas("admitted", load.admitted, shared),
    areas("good", load.good, shared),
    { id: "goodput", lines: each(load.goodput), say: (value) => `${Number((value * 100).toFixed(1))} %`, top: 1.02 },
    { id: "first", lines: each(load.first_p95_s), say: (value) => `${short(value)} s`, log: true, limit: course.first_s },
    {
      id: "queue",
      lines: [
        { key: "running", label: "running", values: load.running },
        { key: "waiting", label: "waiting", values: load.waiting, dash: [8, 3] },
        { key: "in_line", label: "waiting room", values: load.in_line, dash: [2, 3] },
      ],
      say: short,
    },
    {
      id: "engine",
      lines: [
        { key: "capacity", label: "could", values: load.capacity_tok_s, dash: [8, 3] },
        { key: "running", label: "did", values: load.tok_s, fill: true },
      ],
      say: (value) => `${short(value)} tok/s`,
    },
  ];
}

function tell(holder: HTMLElement, lines: Line[], say: (value: number) => string, place: number | null | undefined): void {
  for (const line of lines) {
    const slot = holder.parentElement?.querySelector(`[data-value="${line.key}"]`);
    const value = typeof place === "number" ? (line.said ?? line.values)[place] : null;
    if (slot) slot.textContent = typeof value === "number" ? say(value) : "";
  }
}

function mixed(one: string, another: string): string {
  const [left, right] = [one, another].map((colour) => (colour.match(/[\d.]+/g) ?? []).map(Number));
  return `rgb(${[0, 1, 2].map((place) => Math.round((left?.[place] ?? 0) * 0.6 + (right?.[place] ?? 0) * 0.4)).join(" ")})`;
}

function series(line: Line, isAlone: boolean): uPlot.Series {
  const stroke = colour(line.key);
  const own: uPlot.Series = { label: line.label, stroke, width: line.fill ? 1 : 2, spanGaps: true, points: { show: isAlone } };
  // Not seen through: what lies behind is another group's.
  if (line.fill) own.fill = mixed(stroke, colour("card"));
  if (line.dash) own.dash = line.dash;
  return own;
}

function options(plot: Plot, course: Course, holder: HTMLElement, width: number): uPlot.Options {
  const ink = colour("ink");
  const grid = { stroke: colour("grid"), width: 1 };
  const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif" };
  return {
    width,
    height: HEIGHT,
    padding: [8, null, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: SYNC, setSeries: false }, drag: { x: false, y: false }, points: { size: 7 } },
    scales: {
      x: { time: false, range: [0, course.duration_s] },
      y: plot.log
        ? { distr: 3, range: (_, low, high) => [Math.min(0.1, low ?? 0.1), Math.max(10, high ?? 10)] }
        : { range: (_, low, high) => [Math.min(0, low ?? 0), plot.top ?? Math.max(1, (high ?? 1) * 1.05)] },
    },
    series: [{}, ...plot.lines.map((line) => series(line, plot.lines[0]?.values.length === 1))],
    axes: [
      {
        ...axis,
        space: 70,
        size: 32,
        incrs: INCREMENTS,
        values: (_, splits) => splits.map(clock),
      },
      { ...axis, size: 62, values: (_, splits) => splits.map((value) => (value === null ? "" : plot.say(value).replace(" tok/s", ""))) },
    ],
    hooks: {
      drawClear: [(one) => drawn.background(one, course, colour)],
      draw: [(one) => (plot.limit === undefined ? undefined : drawn.limit(one, plot.limit, colour("limit")))],
      setCursor: [(one) => tell(holder, plot.lines, plot.say, one.cursor.idx)],
    },
  };
}

function draw(course: Course): void {
  for (const { plot } of plots.splice(0)) plot.destroy();
  const { step_s, mode } = course.load;
  const times = mode.map((_, place) => (place + 0.5) * step_s);
  for (const plot of described(course)) {
    const holder = document.getElementById(`plot-${plot.id}`);
    if (!holder) continue;
    const data: uPlot.AlignedData = [times, ...plot.lines.map((line) => line.values)];
    plots.push({ plot: new uPlot(options(plot, course, holder, holder.clientWidth), data, holder), holder });
  }
  const strip = document.getElementById("plot-strip");
  if (strip) plots.push({ plot: drawn.strip(strip, course, times, colour, SYNC), holder: strip });
}

function begin(): void {
  const told = document.getElementById("course")?.textContent;
  if (!told) return;
  const course = JSON.parse(told) as Course;
  document.documentElement.classList.add("drawn");
  draw(course);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(course));
  new ResizeObserver(() => {
    for (const { plot, holder } of plots) {
      if (holder.clientWidth && holder.clientWidth !== plot.width) plot.setSize({ width: holder.clientWidth, height: plot.height });
    }
  }).observe(document.body);
}

begin();
