// Sentences that depend on a value, in one place.
import type { Message, Reply } from "../api/types.ts";

/** What is happening before the first words come; null once they do. */
export function stateLine(reply: Reply): string | null {
  switch (reply.state) {
    case "waiting":
      return "Waiting for a free place…";
    case "reading": {
      const { read_tokens: read, prompt_tokens: all } = reply;
      if (read == null || !all) return "Reading your question…";
      return `Reading your question… ${Math.min(100, Math.floor((100 * read) / all))} %`;
    }
    default:
      return reply.content === "" && reply.reasoning === "" ? "Starting to write…" : null;
  }
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
    default:
      return null;
  }
}

/** A span of time as a person says it: "8 s", "2 min 5 s". */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
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
