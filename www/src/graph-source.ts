import type { PointsAnswer, PointsRequest, StoredGraph, Graph } from "./graphs";
import { IsopointError, type QueryStats, type Source } from "./source";

const API = "/api/v1";

/**
 * Facette's API for the graph page. Points are computed in the page; names and the library are the server's. The library
 * is fetched once, as the one file that it can be, and kept in the page's engine: so a stored graph, its template and
 * its groups mean here what they mean at the server, byte for byte.
 */
export class GraphSource {
  private library: Promise<void> | null = null;

  constructor(private readonly source: Source) {}

  get address(): string {
    return this.source.address;
  }

  origins(): Promise<string[]> {
    return this.list("/catalog/origins");
  }

  sources(origin: string): Promise<string[]> {
    return this.list(`/catalog/sources?${new URLSearchParams({ origin })}`);
  }

  metrics(origin: string, source: string): Promise<string[]> {
    return this.list(`/catalog/metrics?${new URLSearchParams({ origin, source })}`);
  }

  /** The stored graphs that have a name. */
  async graphs(): Promise<StoredGraph[]> {
    return (await this.server("GET", "/library/graphs?fields=id,name")) as StoredGraph[];
  }

  /** A stored graph, its link followed and its texts filled in. */
  async graph(id: string): Promise<Graph> {
    await this.hold();
    const graph = (await this.page("GET", `/library/graphs/${encodeURIComponent(id)}?expand=1`)).body as Partial<Graph>;
    return { name: graph.name ?? "", groups: graph.groups ?? [], options: graph.options ?? {} };
  }

  /** Stores a graph under its name, over the one that has it. */
  async save(graph: Graph): Promise<string> {
    const known = (await this.graphs()).find(({ name }) => name === graph.name);
    if (known) await this.server("PUT", `/library/graphs/${known.id}`, graph);
    else await this.server("POST", "/library/graphs", graph);
    this.library = null;
    const saved = known ?? (await this.graphs()).find(({ name }) => name === graph.name);
    if (!saved) throw new IsopointError("request", "the graph was not kept");
    return saved.id;
  }

  /** The points of a request whose series are of these databases. */
  async points(request: PointsRequest, origins: string[]): Promise<{ answer: PointsAnswer; stats: QueryStats }> {
    if (request.id !== undefined) await this.hold();
    await Promise.all([...new Set(origins)].map((origin) => this.source.follow(origin)));
    const { body, stats } = await this.page("POST", "/series/points", request);
    return { answer: body as PointsAnswer, stats };
  }

  private hold(): Promise<void> {
    this.library ??= this.server("GET", "/library/export").then(async (library) => {
      await this.page("POST", "/library/import?replace=1", library);
    });
    return this.library;
  }

  private async list(path: string): Promise<string[]> {
    return (await this.server("GET", path)) as string[];
  }

  private async page(method: string, path: string, body?: unknown): Promise<{ body: unknown; stats: QueryStats }> {
    const request = { method, url: API + path, headers: { "content-type": "application/json" }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await this.source.exchange(request);
    return { body: read(answer.status, new TextDecoder().decode(answer.body)), stats: answer.stats };
  }

  private async server(method: string, path: string, body?: unknown): Promise<unknown> {
    const sent = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(this.source.address + API + path, { method, ...sent });
    return read(answer.status, await answer.text());
  }
}

/** The document of a good answer; a bad one is an error in its words. */
function read(status: number, text: string): unknown {
  const body: unknown = text.trim() === "" ? null : JSON.parse(text);
  if (status < 300) return body;
  const message = (body as { message?: unknown } | null)?.message;
  throw new IsopointError("request", typeof message === "string" ? message : `status ${status}`);
}
