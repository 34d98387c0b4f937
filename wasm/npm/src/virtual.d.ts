/** What `build.mjs` puts into `inline.js` and `inline-reader.js`. */
declare module "isopoint:worker" {
  /** The Worker's script. */
  const text: string;
  export default text;
}

declare module "isopoint:wasm" {
  /** The module as gzip, in Base64. */
  const text: string;
  export default text;
}

declare module "isopoint:extent" {
  /** Which module that is: `reader` or `full`. */
  const text: string;
  export default text;
}
