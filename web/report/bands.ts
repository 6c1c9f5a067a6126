// What lies behind the lines: the spans in which the scenario did something, and the strip that names them.
import uPlot from "uplot";

import { INCREMENTS, clock, stretches, type Course, type Mark } from "./course.ts";

type Colour = (key: string) => string;

const ROW = 22;
const PAD = 5;
const AXES = 62;
const X_AXIS = 32;

function box(plot: uPlot, from_s: number, until_s: number): [number, number] {
  const left = plot.valToPos(from_s, "x", true);
  return [left, plot.valToPos(until_s, "x", true) - left];
}

function background(plot: uPlot, course: Course, colour: Colour): void {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const mark of course.marks) {
    const [left, width] = box(plot, mark.from_s, mark.until_s);
    ctx.fillStyle = colour(`span-${mark.kind}`);
    ctx.globalAlpha = 0.13;
    ctx.fillRect(left, bbox.top, width, bbox.height);
  }
  if (course.warm_s > 0) {
    const [left, width] = box(plot, 0, course.warm_s);
    ctx.fillStyle = colour("grid");
    ctx.globalAlpha = 0.5;
    ctx.fillRect(left, bbox.top, width, bbox.height);
  }
  ctx.restore();
}

function limit(plot: uPlot, value: number, stroke: string): void {
  const { ctx, bbox } = plot;
  const height = plot.valToPos(value, "y", true);
  ctx.save();
  ctx.strokeStyle = stroke;
  ctx.lineWidth = uPlot.pxRatio;
  ctx.setLineDash([4 * uPlot.pxRatio, 4 * uPlot.pxRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, height);
  ctx.lineTo(bbox.left + bbox.width, height);
  ctx.stroke();
  ctx.restore();
}

interface Bar {
  word: string;
  key: string;
  from_s: number;
  until_s: number;
}

// Marks of one kind share a row where they do not overlap.
function rows(course: Course): Bar[][] {
  const found: Bar[][] = [];
  const bars = course.marks.map((mark: Mark) => ({
    word: mark.name.replaceAll("_", " "), key: `span-${mark.kind}`, from_s: mark.from_s, until_s: mark.until_s,
  }));
  for (const bar of bars) {
    const free = found.find((row) => row.every((other) => other.until_s <= bar.from_s || bar.until_s <= other.from_s));
    if (free) free.push(bar);
    else found.push([bar]);
  }
  const step_s = course.load.step_s;
  const modes = stretches(course.load.mode).map(({ word, from, until }) => ({
    word: word.replaceAll("_", " "), key: `mode-${word}`, from_s: from * step_s, until_s: Math.min(until * step_s, course.duration_s),
  }));
  return [...found, modes];
}

function bars(plot: uPlot, all: Bar[][], colour: Colour): void {
  const { ctx, bbox } = plot;
  const ratio = uPlot.pxRatio;
  ctx.save();
  ctx.font = `${12 * ratio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  all.forEach((row, place) => {
    const top = bbox.top + (place * ROW + 2) * ratio;
    for (const bar of row) {
      const [left, width] = box(plot, bar.from_s, bar.until_s);
      ctx.globalAlpha = 0.32;
      ctx.fillStyle = colour(bar.key);
      ctx.fillRect(left, top, Math.max(width, ratio), (ROW - 4) * ratio);
      ctx.globalAlpha = 1;
      ctx.fillRect(left, top, 3 * ratio, (ROW - 4) * ratio);
      ctx.fillStyle = colour("ink");
      // Beside it where it is too narrow, if nothing stands there.
      const room = ctx.measureText(bar.word).width + 2 * PAD * ratio;
      const next = row.filter((other) => other.from_s >= bar.until_s).map((other) => box(plot, other.from_s, other.until_s)[0]);
      const free = Math.min(bbox.left + bbox.width, ...next) - left - width;
      const at = room < width ? left + (PAD + 2) * ratio : room < free ? left + width + PAD * ratio : null;
      if (at !== null) ctx.fillText(bar.word, at, top + (ROW / 2 - 1) * ratio);
    }
  });
  ctx.restore();
}

function strip(holder: HTMLElement, course: Course, times: number[], colour: Colour, sync: string): uPlot {
  const all = rows(course);
  const ink = colour("ink");
  const grid = { stroke: colour("grid"), width: 1 };
  const options: uPlot.Options = {
    width: holder.clientWidth,
    height: all.length * ROW + X_AXIS,
    padding: [0, null, 0, 0],
    legend: { show: false },
    cursor: { sync: { key: sync, setSeries: false }, drag: { x: false, y: false }, y: false },
    scales: { x: { time: false, range: [0, course.duration_s] }, y: { range: [0, 1] } },
    series: [{}, { show: false }],
    axes: [
      { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif", space: 70, size: X_AXIS, incrs: INCREMENTS, values: (_, splits) => splits.map(clock) },
      { size: AXES, stroke: ink, grid: { show: false }, ticks: { show: false }, values: () => [] },
    ],
    hooks: { draw: [(plot) => bars(plot, all, colour)] },
  };
  return new uPlot(options, [times, times.map(() => null)], holder);
}

export const drawn = { background, limit, strip };
