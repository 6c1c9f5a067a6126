// How the challenge's two scripts are made: one for pages with a form, one for its workers. Their names are plain; the
// service puts a hash of both in their address.
import { defineConfig } from "vite";

import { compressed } from "./bundling/compressed.ts";

export default defineConfig({
  plugins: [compressed()],
  publicDir: false,
  build: {
    outDir: "../src/tidegate/http/web/dist/challenge",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: { page: "challenge/page.ts", worker: "challenge/worker.ts" },
      output: { entryFileNames: "[name].js" },
    },
  },
});
