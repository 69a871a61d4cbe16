// Builds the desk into ../static, from where the server serves it. File names carry no hashes: the server says how long
// they may be kept.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

// The licences of what is built in go with it.
const licences = {
  name: "licences",
  generateBundle() {
    const packages = ["svelte/LICENSE.md", "@photo-sphere-viewer/core/LICENSE", "three/LICENSE"];
    const texts = packages.map((file) => `${file}\n\n${readFileSync(`node_modules/${file}`, "utf8").trim()}\n`);
    this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n\n") });
  },
};

export default defineConfig({
  plugins: [svelte(), licences],
  base: "/static/",
  build: {
    outDir: "../static",
    emptyOutDir: true,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 1000,
    rollupOptions: {
      input: "src/main.js",
      output: {
        entryFileNames: "desk.js",
        chunkFileNames: "[name].js",
        assetFileNames: (asset) => (asset.names.some((name) => name.endsWith(".css")) ? "desk.css" : "[name][extname]"),
      },
    },
  },
});
