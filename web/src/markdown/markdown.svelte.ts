// The bridge from a growing text to the page: `{@attach markdown(() => text, () => is_complete)}`.
import * as smd from "streaming-markdown";
import type { Attachment } from "svelte/attachments";

import { writer } from "./renderer.ts";

/** Write `text()` below an element, and what it grows by, once per frame. */
export function markdown(text: () => string, isComplete: () => boolean): Attachment<Element> {
  return (root) => {
    let parser = writer(root);
    let written = "";
    let is_ended = false;
    let frame = 0;

    function write(): void {
      frame = 0;
      const now = text();
      // The text is another one, or goes on after its end: a state that was asked for anew.
      if (!now.startsWith(written) || (is_ended && now !== written)) {
        root.replaceChildren();
        parser = writer(root);
        written = "";
        is_ended = false;
      }
      if (now.length > written.length) smd.parser_write(parser, now.slice(written.length));
      written = now;
      if (isComplete() && !is_ended) {
        smd.parser_end(parser);
        is_ended = true;
      }
    }

    $effect(() => {
      void [text().length, isComplete()];
      // A page that is not seen gets no frames; it writes when it is.
      if (written === "") write();
      else frame ||= requestAnimationFrame(write);
    });
    return () => cancelAnimationFrame(frame);
  };
}
