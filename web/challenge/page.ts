// Does a form's challenge in the background while somebody fills the form in. Without it the form still works, by
// whatever the page offers beside it; nothing here keeps anybody from typing.
import { Crew } from "./crew.ts";
import { type Device, failed, WORDS, working, workersFor } from "./words.ts";

const SPARINGLY_MS = 5000; // a screen reader reads each change to the end
const ENOUGH = 3; // pieces after which the time that is left is more than a guess

type State = "working" | "paused" | "done" | "failed" | "expired";

class Challenge {
  private readonly box: HTMLElement;
  private readonly form: HTMLFormElement;
  private readonly effort: number;
  private readonly status: HTMLElement;
  private readonly bar: HTMLProgressElement;
  private readonly pause: HTMLButtonElement;
  private readonly found: string[] = [];
  private readonly crew: Crew;
  private state: State = "paused";
  private startedAt = 0;
  private spentMs = 0;
  private toldAt = -SPARINGLY_MS;
  private isSending = false;
  private sender: HTMLElement | null = null;

  constructor(box: HTMLElement, form: HTMLFormElement, workers: number) {
    this.box = box;
    this.form = form;
    const text = this.field("challenge").value;
    const lifetimeS = Number(text.split(".")[4]);
    this.effort = Number(text.split(".")[2]);
    this.status = part(box, "[role=status]");
    this.bar = part(box, "progress");
    this.pause = part(box, "button[data-pause]");
    this.crew = new Crew(text, workers, {
      found: (pieces) => this.gather(pieces),
      failed: () => this.turn("failed"),
    });
    this.pause.addEventListener("click", () => (this.state === "paused" ? this.work() : this.rest()));
    form.addEventListener("submit", (event) => this.submitted(event));
    // From the page's load on: a little early rather than too late.
    setTimeout(() => this.expire(), Math.max(0, lifetimeS * 1000 - performance.now() - 2000));
    part(box, "[data-work]").hidden = false;
    this.work();
  }

  private work(): void {
    this.startedAt = performance.now();
    this.turn("working");
    this.crew.start();
  }

  private rest(): void {
    this.crew.end();
    this.spentMs += performance.now() - this.startedAt;
    this.turn("paused");
  }

  private gather(pieces: string[]): void {
    if (this.state !== "working") return;
    const before = this.found.length;
    this.found.push(...pieces);
    if (this.found.length < this.effort) {
      this.bar.value = this.found.length / this.effort;
      this.tell(before < ENOUGH && this.found.length >= ENOUGH);
      return;
    }
    this.crew.end();
    this.spentMs += performance.now() - this.startedAt;
    this.field("answer").value = this.found.slice(0, this.effort).sort().join("");
    this.field("solve_ms").value = String(Math.ceil(this.spentMs));
    this.bar.value = 1;
    this.turn("done");
    if (this.isSending) this.form.requestSubmit(this.sender);
  }

  private submitted(event: SubmitEvent): void {
    // Done, or never to be: then it is for the service to say what comes next.
    if (this.state === "done" || this.state === "failed" || this.state === "expired") return;
    event.preventDefault();
    this.isSending = true;
    this.sender = event.submitter;
    if (this.state === "paused") this.work();
    else this.tell(true);
  }

  private expire(): void {
    this.crew.end();
    this.turn("expired");
  }

  private turn(state: State): void {
    this.state = state;
    this.box.dataset["state"] = state;
    const isOver = state !== "working" && state !== "paused";
    // Who had the focus there keeps a place on the page.
    if (isOver && document.activeElement === this.pause) this.status.focus();
    part(this.box, ".work").hidden = isOver;
    this.pause.textContent = state === "paused" ? "Go on with the check" : "Pause the check";
    this.tell(true);
    if (isOver && state !== "done" && this.isSending) this.form.requestSubmit(this.sender);
  }

  /** Say how it stands: at once when that changed, else only now and then. */
  private tell(isNew = false): void {
    const now = performance.now();
    if (!isNew && now - this.toldAt < SPARINGLY_MS) return;
    this.toldAt = now;
    const spentMs = this.spentMs + (this.state === "working" ? now - this.startedAt : 0);
    const said = this.words(spentMs);
    this.status.textContent = this.isSending && this.state === "working" ? `${said} ${WORDS.sending}` : said;
  }

  private words(spentMs: number): string {
    if (this.state === "working") return working(this.effort, this.found.length, spentMs);
    return this.state === "failed" ? failed(this.box.dataset["instead"] ?? "") : WORDS[this.state];
  }

  private field(name: string): HTMLInputElement {
    return part(this.box, `input[name=${name}]`);
  }
}

function part<T extends HTMLElement>(box: HTMLElement, selector: string): T {
  const found = box.querySelector<T>(selector);
  if (!found) throw new Error(`the page lacks ${selector}`);
  return found;
}

interface Battery {
  charging: boolean;
  level: number;
}

async function device(): Promise<Device> {
  const browser = navigator as { connection?: { saveData?: boolean }; getBattery?: () => Promise<Battery> };
  let saves = browser.connection?.saveData === true;
  try {
    const battery = await browser.getBattery?.();
    saves ||= battery !== undefined && !battery.charging && battery.level < 0.2;
  } catch {
    // Some browsers have the question and refuse the answer.
  }
  return { cores: navigator.hardwareConcurrency || 1, saves };
}

async function begin(): Promise<void> {
  const own = await device();
  for (const box of document.querySelectorAll<HTMLElement>("[data-challenge]")) {
    const form = box.closest("form");
    if (form) new Challenge(box, form, workersFor(Number(box.dataset["effort"]), own));
  }
}

void begin();
