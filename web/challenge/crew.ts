// Workers on one challenge. Fewer are tried when a browser fails with many; ending them loses what they were at.
import type { Found, Task } from "./worker.ts";

// From its own address the page's script finds the worker beside it, whatever the version.
const here = import.meta.url;

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(name: string): string }): { createScriptURL(name: string): string };
}

const beside = (name: string): string => {
  if (name !== "worker.js") throw new TypeError("no script of ours");
  return new URL(name, here).href;
};
const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
const trusted = types ? types.createPolicy("tidegate-challenge", { createScriptURL: beside }) : { createScriptURL: beside };

export interface Told {
  found(pieces: string[]): void;
  failed(): void;
}

export class Crew {
  private readonly text: string;
  private readonly told: Told;
  private size: number;
  private workers: Worker[] = [];
  private next = 0;
  private failures = 0;

  constructor(text: string, size: number, told: Told) {
    this.text = text;
    this.size = size;
    this.told = told;
  }

  start(): void {
    try {
      for (let at = 0; at < this.size; at++) this.workers.push(this.hire(this.next + at));
    } catch {
      this.fail();
    }
  }

  end(): void {
    for (const worker of this.workers) worker.terminate();
    this.workers = [];
  }

  private hire(first: number): Worker {
    const worker = new Worker(trusted.createScriptURL("worker.js"));
    worker.onmessage = ({ data }: MessageEvent<Found>) => {
      this.next = Math.max(this.next, data.nonce + 1);
      if (data.pieces.length > 0) this.told.found(data.pieces);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      this.fail();
    };
    worker.postMessage({ text: this.text, first, step: this.size } satisfies Task);
    return worker;
  }

  /** Half as many try again; one that fails twice is the end of it. */
  private fail(): void {
    this.end();
    this.failures += this.size === 1 ? 1 : 0;
    this.size = Math.max(1, this.size >> 1);
    if (this.failures > 1) this.told.failed();
    else this.start();
  }
}
