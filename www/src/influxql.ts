/** The little InfluxQL that the page itself writes, and what it reads from InfluxDB's errors. */

/** An identifier in double quotes. */
export function quote(name: string): string {
  return `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** Where an error says it is: offset and length in `text` of the token it complains about. */
export interface ErrorPlace {
  line: number;
  char: number;
  offset: number;
  length: number;
}

/**
 * Reads `at line 2, char 9`, or `(line 2, column 9)`, from an error, lines and characters (code points) counted from 1. Of InfluxDB's habits
 * one matters here: a quoted text is reported one character early.
 */
export function errorPlace(message: string, text: string): ErrorPlace | null {
  // Datadog says `(line 1, column 25)`.
  const found = /(?:at line |\(line )(\d+), (?:char|column) (\d+)/.exec(message);
  if (!found) return null;
  const [line, char] = [Number(found[1]), Number(found[2])];
  const lines = text.split("\n");
  const content = lines[line - 1];
  if (content === undefined) return null;
  const before = lines.slice(0, line - 1).reduce((sum, earlier) => sum + earlier.length + 1, 0);
  const within = Math.min([...content].slice(0, char - 1).join("").length, content.length);
  const rest = content.slice(within);
  const token = /^(?:\w+|.?"[^"]*"?|.?'[^']*'?|\S|\s(?=\S))/u.exec(rest)?.[0] ?? "";
  return { line, char, offset: before + within, length: token.length };
}

/** A text with the moment in place of `now()`, so that it means the same wherever and whenever it is run. */
export function frozen(text: string, now: number): string {
  const moment = `'${new Date(now).toISOString()}'`;
  return text.replace(/"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\bnow\(\s*\)/gi, (part) => (/^now/i.test(part) ? moment : part));
}

/** A command that asks the server the same. */
export function curl(address: string, database: string, text: string): string {
  const shell = (argument: string): string => `'${argument.replaceAll("'", `'\\''`)}'`;
  return `curl -G ${shell(`${address}/query`)} --data-urlencode ${shell(`db=${database}`)} --data-urlencode ${shell(`q=${text}`)}`;
}
