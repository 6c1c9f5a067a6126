// Does a form's challenge in the background while somebody fills the form in. Without it the form still works, by
// whatever the page offers beside it; nothing here keeps anybody from typing.
import { Crew } from "./crew.ts";
import { fetchFresh } from "./fresh.ts";
import { type Device, failed, WORDS, working, workersFor } from "./words.ts";

const SPARINGLY_MS = 5000; // a screen reader reads each change to the end
const EARLY_MS = 2000; // so much sooner than the service a challenge is held to have run out
const ENOUGH = 3; // pieces after which the time that is left is more than a guess

type State = "working" | "paused" | "done" | "failed" | "asleep" | "renewing" | "expired";

class Challenge {
  private readonly box: HTMLElement;
  private readonly form: HTMLFormElement;
  private readonly workers: number;
  private again: string; // where another challenge is had; empty where none is
  private text = "";
  private effort = 0;
  private until = 0; // by Date.now(), which goes on while a device sleeps
  private clock: ReturnType<typeof setTimeout> | undefined;
  private isTouched = false;
  private isResting = false; // by somebody's wish
  private readonly status: HTMLElement;
  private readonly bar: HTMLProgressElement;
  private readonly pause: HTMLButtonElement;
  private found: string[] = [];
  private crew!: Crew; // by `take`
  private state: State = "paused";
  private startedAt = 0;
  private spentMs = 0;
  private toldAt = -SPARINGLY_MS;
  private isSending = false;
  private sender: HTMLElement | null = null;

  constructor(box: HTMLElement, form: HTMLFormElement, workers: number) {
    this.box = box;
    this.form = form;
    this.workers = workers;
    this.again = box.dataset["again"] ?? "";
    this.status = part(box, "[role=status]");
    this.bar = part(box, "progress");
    this.pause = part(box, "button[data-pause]");
    this.pause.addEventListener("click", () => (this.state === "paused" ? this.work() : this.rest()));
    form.addEventListener("submit", (event) => this.submitted(event));
    form.addEventListener("input", () => this.touched());
    part(box, "[data-work]").hidden = false;
    // From the page's load on: a little early rather than too late.
    this.take(this.field("challenge").value, performance.now());
  }

  /** Begin to work on a challenge that is `ageMs` old. */
  private take(text: string, ageMs: number): void {
    this.text = text;
    this.effort = Number(text.split(".")[2]);
    this.found = [];
    this.spentMs = 0;
    this.bar.value = 0;
    this.crew = new Crew(text, this.workers, {
      found: (pieces) => this.gather(pieces),
      failed: () => this.turn("failed"),
    });
    const lastsMs = Math.max(0, Number(text.split(".")[4]) * 1000 - ageMs - EARLY_MS);
    this.until = Date.now() + lastsMs;
    clearTimeout(this.clock);
    this.clock = setTimeout(() => this.expire(), lastsMs);
    if (this.isResting && !this.isSending) this.turn("paused");
    else this.work();
  }

  /** Take another challenge in place of the one that ran out, or leave it to the service to say what comes next. */
  private async renew(): Promise<void> {
    this.turn("renewing");
    this.isTouched = false;
    const fresh = await fetchFresh(this.again, this.text.split(".")[1] ?? "");
    if (fresh === undefined) {
      this.again = "";
      this.turn("expired");
      return;
    }
    for (const name of ["answer", "solve_ms"]) this.field(name).value = "";
    this.field("challenge").value = this.text = fresh;
    if (fresh) this.take(fresh, 0);
    else this.finish();
  }

  /** Somebody goes on with the form: only for them work begins anew, not for a page that was left open. */
  private touched(): void {
    this.isTouched = true;
    if (this.state === "asleep") void this.renew();
  }

  private work(): void {
    this.isResting = false;
    this.startedAt = performance.now();
    this.turn("working");
    this.crew.start();
  }

  private rest(): void {
    this.isResting = true;
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
    this.finish();
  }

  private finish(): void {
    this.bar.value = 1;
    this.turn("done");
    if (this.isSending) this.form.requestSubmit(this.sender);
  }

  private submitted(event: SubmitEvent): void {
    // Done, or never to be: then it is for the service to say what comes next.
    const isOld = this.state === "done" && this.text !== "" && Date.now() >= this.until;
    if (this.state === "failed" || this.state === "expired" || (this.state === "done" && !(isOld && this.again))) return;
    event.preventDefault();
    this.isSending = true;
    this.sender = event.submitter;
    if (isOld || this.state === "asleep") void this.renew();
    else if (this.state === "paused") this.work();
    else this.tell(true);
  }

  private expire(): void {
    this.crew.end();
    if (this.state === "failed") return;
    if (!this.again) this.turn("expired");
    else if (this.isTouched || this.isSending) void this.renew();
    else this.turn("asleep");
  }

  private turn(state: State): void {
    this.state = state;
    this.box.dataset["state"] = state;
    const isIdle = state !== "working" && state !== "paused";
    const isOver = state === "done" || state === "failed" || state === "expired";
    // Who had the focus there keeps a place on the page.
    if (isIdle && document.activeElement === this.pause) this.status.focus();
    part(this.box, ".work").hidden = isIdle;
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
