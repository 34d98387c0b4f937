/** Dashboards kept at the server, in Grafana's API. */
import type { GrafanaDashboard } from "./grafana-dashboard";
import { IsopointError } from "./source";

export interface Stored {
  uid: string;
  title: string;
}

export class DashboardStore {
  constructor(private readonly address: string) {}

  async list(): Promise<Stored[]> {
    return (await this.call("GET", "/api/search?type=dash-db")) as Stored[];
  }

  async get(uid: string): Promise<GrafanaDashboard> {
    return ((await this.call("GET", `/api/dashboards/uid/${encodeURIComponent(uid)}`)) as { dashboard: GrafanaDashboard }).dashboard;
  }

  /** Keeps a dashboard; refused when somebody else has changed it since it was read. */
  async save(dashboard: GrafanaDashboard): Promise<{ uid: string; version: number }> {
    return (await this.call("POST", "/api/dashboards/db", { dashboard, overwrite: false })) as { uid: string; version: number };
  }

  async delete(uid: string): Promise<void> {
    await this.call("DELETE", `/api/dashboards/uid/${encodeURIComponent(uid)}`);
  }

  private async call(method: string, path: string, body?: unknown): Promise<unknown> {
    const sent = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await fetch(this.address + path, { method, ...sent }).catch(() => {
      throw new IsopointError("source", "The server does not answer; dashboards are kept there.");
    });
    const answer: unknown = await response.json().catch(() => null);
    if (response.ok) return answer;
    throw new IsopointError("request", (answer as { message?: string } | null)?.message ?? `status ${response.status}`);
  }
}
