// How the page is built: one hashed script and one style file, nothing inline (the server's policy forbids it), and a gzip twin of each
// file, which the server sends as it is.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

const WORTH_COMPRESSING = /\.(js|css|html|svg)$/;

function compressedTwins(): Plugin {
  return {
    name: "compressed-twins",
    apply: "build",
    closeBundle() {
      for (const entry of readdirSync("dist", { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (entry.isFile() && WORTH_COMPRESSING.test(entry.name)) writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  build: { assetsInlineLimit: 0, target: "es2022", modulePreload: false, chunkSizeWarningLimit: 900 },
  server: { proxy: { "/v1": "http://127.0.0.1:8420" } },
  plugins: [compressedTwins()],
});
