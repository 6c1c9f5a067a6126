// The chat's front door.
import "./styles/index.ts";

import { mount } from "svelte";

import App from "./App.svelte";
import { notices } from "./state/notices.svelte.ts";

const place = document.querySelector("#app")!;
place.replaceChildren();
mount(App, { target: place });

function apologise(event: Event): void {
  // A browser's remark that it draws the rest in the next frame; and what an extension broke is not ours to say.
  if (event instanceof ErrorEvent && (event.message.startsWith("ResizeObserver loop") || !event.filename.startsWith(location.origin)))
    return;
  notices.show("Something went wrong on this page. If it looks odd, load it again.", {
    label: "Load again",
    run: () => location.reload(),
  });
}

addEventListener("error", apologise);
addEventListener("unhandledrejection", apologise);
