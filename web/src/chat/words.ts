// Sentences that depend on a value, in one place.
import type { Message, Reply } from "../api/types.ts";

/** What is happening before the first words come; null once they do. The turn comes in `left_s`, where that is known. */
export function stateLine(reply: Reply, left_s: number | null): string | null {
  switch (reply.state) {
    case "waiting":
      return reply.position == null ? "Waiting for a free place…" : lineWords(reply.position, left_s);
    case "reading": {
      const { read_tokens: read, prompt_tokens: all } = reply;
      if (read == null || !all) return "Reading your question…";
      return `Reading your question… ${Math.min(100, Math.floor((100 * read) / all))} %`;
    }
    default:
      return reply.content === "" && reply.reasoning === "" ? "Starting to write…" : null;
  }
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"];

/** Where one stands and for how long: "You are third in line. About 12 seconds." */
export function lineWords(position: number, left_s: number | null): string {
  const place = position <= 1 ? "You are next in line." : `You are ${ordinal(position)} in line.`;
  return left_s === null ? place : `${place} ${about(left_s)}`;
}

function ordinal(position: number): string {
  const word = ORDINALS[position - 1];
  if (word !== undefined) return word;
  const tens = position % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : (["th", "st", "nd", "rd"][position % 10] ?? "th");
  return `${position}${ending}`;
}

/** A wait in words, the coarser the longer: nobody can promise the second in a minute. */
export function about(seconds: number): string {
  if (seconds < 1.5) return "Any moment now.";
  if (seconds <= 15) return `About ${Math.ceil(seconds)} seconds.`;
  if (seconds <= 55) return `About ${5 * Math.ceil(seconds / 5)} seconds.`;
  const minutes = Math.ceil(seconds / 60);
  return minutes === 1 ? "About a minute." : `About ${minutes} minutes.`;
}

/** The note under an answer that did not come to its own end. */
export function endingNote(ending: Message["ending"]): string | null {
  switch (ending) {
    case "stopped":
      return "You stopped this answer.";
    case "length":
      return "This answer reached its longest length.";
    case "unattended":
      return "This answer was stopped because no page was open any more.";
    case "cut":
      return "The service was restarted before this answer was complete.";
    case "failed":
      return "The model broke off in the middle of this answer.";
    case "crowded_out":
      return "The service became very busy, and this answer had to make room. What was written is kept.";
    default:
      return null;
  }
}

/** A span of time as a person says it: "8 s", "2 min 5 s". */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  // Never too short: minutes are rounded up where seconds are left out.
  const minutes = Math.ceil(whole / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `text` cut at every place where one of `query`'s words stands, to show those marked. */
export function marked(text: string, query: string): { text: string; is_hit: boolean }[] {
  const words = query.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (words.length === 0) return [{ text, is_hit: false }];
  return text
    .split(new RegExp(`(${words.join("|")})`, "giu"))
    .map((piece, index) => ({ text: piece, is_hit: index % 2 === 1 }))
    .filter((piece) => piece.text !== "");
}
