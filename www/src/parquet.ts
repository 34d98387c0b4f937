import type { Table } from "./files";

/** The rows of a Parquet file. What reads it is loaded when the first comes. */
export async function parquetTable(file: ArrayBuffer): Promise<Table> {
  const [{ parquetMetadataAsync, parquetReadObjects }, { decompress }] = await Promise.all([import("hyparquet"), import("fzstd")]);
  const compressors = { ZSTD: (packed: Uint8Array, length: number) => decompress(packed, new Uint8Array(length)) };
  const metadata = await parquetMetadataAsync(file);
  const objects = await parquetReadObjects({ file, metadata, compressors });
  const columns = [...new Set(objects.flatMap((row) => Object.keys(row)))];
  return { columns, rows: objects.map((row) => columns.map((name) => (row as Record<string, unknown>)[name])) };
}
