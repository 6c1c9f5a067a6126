// Who is signed in, and what the server says about itself.
import * as calls from "../api/calls.ts";
import { useToken } from "../api/client.ts";
import type { Session } from "../api/types.ts";
import { sentence } from "./notices.svelte.ts";

class SignedIn {
  now = $state<Session | null>(null);
  failure = $state<string | null>(null);

  async load(): Promise<Session> {
    try {
      const session = await calls.session();
      useToken(session.csrf_token, () => this.load());
      this.now = session;
      this.failure = null;
      return session;
    } catch (error) {
      if (this.now === null) this.failure = sentence(error);
      throw error;
    }
  }
}

export const session = new SignedIn();
