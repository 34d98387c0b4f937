/** The data sources that queries of Grafana's API are for, and what a server knows of them. */

/** A data source that the server answers itself: the page can, too. */
export interface LocalSource {
  uid: string;
  database: string;
  /** As the page's own record. */
  record: object;
}

interface DataSource {
  uid: string;
  name: string;
  type: string;
  url: string;
  database?: string;
  jsonData?: { engine?: unknown; dbName?: unknown };
}

/** The uids in the body of `/api/ds/query`, each once; expressions have none. A body that is no such request has none. */
export function uidsOf(body: Uint8Array | string): string[] {
  try {
    const text = typeof body === "string" ? body : new TextDecoder().decode(body);
    const { queries = [] } = JSON.parse(text) as { queries?: { datasource?: unknown }[] };
    const uids = queries.map(({ datasource }) => (typeof datasource === "string" ? datasource : (datasource as { uid?: unknown } | null | undefined)?.uid));
    return [...new Set(uids.filter((uid): uid is string => typeof uid === "string" && uid !== "" && uid !== "__expr__" && uid !== "-100"))];
  } catch {
    return [];
  }
}

/**
 * What a server knows of a data source, if it answers for it itself. `null`: another server does, or there is none;
 * `undefined`: the server does not say.
 */
export async function localSource(network: typeof fetch, server: string, uid: string): Promise<LocalSource | null | undefined> {
  const answer = await network(`${server}/api/datasources/uid/${encodeURIComponent(uid)}`).catch(() => null);
  if (answer === null || answer.status >= 500) return undefined;
  if (!answer.ok) return null;
  const { name, type, url, database = "", jsonData = {} } = (await answer.json()) as DataSource;
  if (type !== "influxdb" || !(jsonData.engine === "local" || url.startsWith("local://") || isSame(server, url))) return null;
  const record = { name, uid, type, access: "proxy", url: "local://", database, jsonData };
  return { uid, database: typeof jsonData.dbName === "string" && jsonData.dbName !== "" ? jsonData.dbName : database, record };
}

function isSame(server: string, url: string): boolean {
  try {
    const [one, other] = [new URL(server), new URL(url.includes("://") ? url : `http://${url}`)];
    return one.host === other.host && other.pathname === "/";
  } catch {
    return false;
  }
}
