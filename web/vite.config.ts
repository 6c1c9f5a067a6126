// How the sources become the few files that the service holds in memory.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

import { compressed } from "./bundling/compressed.ts";

const DIST = "../src/tidegate/http/web/dist";

export default defineConfig({
  base: "/",
  plugins: [svelte({ compilerOptions: { runes: true } }), compressed()],
  build: {
    outDir: DIST,
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    assetsInlineLimit: 0, // a data: address in a style sheet is one that the policy would have to allow
    modulePreload: false, // one script: nothing to fetch early
    reportCompressedSize: false,
    license: { fileName: "licenses.txt" },
  },
});
