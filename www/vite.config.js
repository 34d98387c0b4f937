/** @type {import("vite").UserConfig} */
export default {
  build: {
    target: "es2022",
    // Nothing is inlined: the page's policy allows no data: addresses, and the module is to be compiled as it streams.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  worker: { format: "es" },
  // `npm run dev` serves the page from source; the engine and its data come from a server that runs beside it.
  server: {
    proxy: Object.fromEntries(["/query", "/write", "/ping", "/health", "/sync", "/api", "/isopoint"].map((path) => [path, "http://127.0.0.1:8086"])),
  },
};
