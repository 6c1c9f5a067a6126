// One call to the API: the token that shows that it comes from our page, refusals as errors with a sentence, and the
// way to the sign-in page when nobody is signed in any more.

export class CallFailed extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryAfterS: number | null;

  constructor(message: string, code: string, status: number, retryAfterS: number | null = null) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

let token = "";
let renewToken: () => Promise<unknown> = async () => undefined;
let keepDrafts: () => void = () => undefined;

/** Tell the token that calls carry, and how to get another when the server says that it is out of date. */
export function useToken(text: string, renew: () => Promise<unknown>): void {
  token = text;
  renewToken = renew;
}

/** Tell what is to be done just before the page leaves for the sign-in page. */
export function useLeaving(keep: () => void): void {
  keepDrafts = keep;
}

export async function call<T>(method: Method, path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  try {
    return await once<T>(method, path, body, { signal });
  } catch (error) {
    if (!(error instanceof CallFailed) || error.code !== "invalid_csrf_token") throw error;
    await renewToken();
    return once<T>(method, path, body, { signal });
  }
}

/** A call that may outlive the page; nobody waits for its answer. */
export function callAndLeave(method: Method, path: string): void {
  void once(method, path, undefined, { keepalive: true }).catch(() => undefined);
}

async function once<T>(method: Method, path: string, body: unknown, more: RequestInit): Promise<T> {
  const headers = new Headers({ accept: "application/json" });
  if (method !== "GET") headers.set("x-csrf-token", token);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = { ...more, method, headers, credentials: "same-origin" as const, cache: "no-store" as const };
  let response: Response;
  try {
    response = await fetch(path, body === undefined ? init : { ...init, body: JSON.stringify(body) });
  } catch (error) {
    if (more.signal?.aborted) throw error;
    throw new CallFailed("The service cannot be reached. Check your connection, then try again.", "unreachable", 0);
  }
  if (!response.ok) throw await failure(response);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function failure(response: Response): Promise<CallFailed> {
  let message = `The service answered with an error (${response.status}).`;
  let code = "internal_error";
  try {
    const { error } = (await response.json()) as { error: { message: string; code: string } };
    ({ message, code } = error);
  } catch {
    // Not ours: a proxy in between. The status is all that is known.
  }
  if (response.status === 401 && code === "not_signed_in") goToSignIn();
  const waitMs = Number(response.headers.get("retry-after-ms") ?? NaN);
  const waitS = Number(response.headers.get("retry-after") ?? NaN);
  const retryAfterS = Number.isFinite(waitMs) ? waitMs / 1000 : Number.isFinite(waitS) ? waitS : null;
  return new CallFailed(message, code, response.status, retryAfterS);
}

/** Leave for the sign-in page, which leads back here. */
export function goToSignIn(): void {
  keepDrafts();
  location.replace(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
}
