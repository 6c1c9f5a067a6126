// Another challenge in place of one that ran out, for a page whose form is still being filled in.

const LONGEST_MS = 10_000;

/** A challenge's text; "" where none is asked for any more, undefined where this form is no longer the way. */
export type Fresh = string | undefined;

/** What an answer of `/api/sign-up` means for a form whose challenge was for `scope`. */
export function freshOf(told: unknown, scope: string): Fresh {
  if (typeof told !== "object" || told === null) return undefined;
  const { state, challenge } = told as { state?: unknown; challenge?: { text?: unknown } | null };
  const text = challenge?.text;
  if (typeof text === "string") return text.split(".")[1] === scope ? text : undefined;
  return state === "form" ? "" : undefined;
}

/** Ask for one. Whatever goes wrong, the form can still be sent: then the service says what comes next. */
export async function fetchFresh(address: string, scope: string): Promise<Fresh> {
  try {
    const answer = await fetch(address, {
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(LONGEST_MS),
    });
    return answer.ok ? freshOf(await answer.json(), scope) : undefined;
  } catch {
    return undefined;
  }
}
