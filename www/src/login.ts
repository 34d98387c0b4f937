import { h } from "./dom";

interface Session {
  authentication: boolean;
  user: string | null;
}

/** Where the server asks who calls, waits until somebody has logged in. A page without a server asks nobody. */
export async function logIn(main: HTMLElement): Promise<void> {
  let session: Session;
  try {
    const answer = await fetch("/isopoint/session");
    if (!answer.ok) return;
    session = (await answer.json()) as Session;
  } catch {
    return;
  }
  if (session.authentication && !session.user) await form(main);
}

/** The cookie that comes of it is the browser's alone: no script reads it. */
function form(main: HTMLElement): Promise<void> {
  return new Promise((done) => {
    const user = h("input", { name: "username", autocomplete: "username", required: true });
    const password = h("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
    const said = h("p", { role: "alert" });
    const submit = async (event: Event): Promise<void> => {
      event.preventDefault();
      const body = JSON.stringify({ username: user.value, password: password.value });
      const answer = await fetch("/isopoint/session", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(() => null);
      if (answer?.ok) {
        main.replaceChildren();
        done();
        return;
      }
      const why = answer ? ((await answer.json().catch(() => ({}))) as { error?: string }).error : null;
      said.textContent = why ?? "The server does not answer.";
      password.value = "";
      password.focus();
    };
    main.replaceChildren(
      h(
        "form",
        { class: "absent", "data-testid": "login", submit },
        h("h2", {}, "Log in"),
        h("p", {}, h("label", {}, "User ", user)),
        h("p", {}, h("label", {}, "Password ", password)),
        said,
        h("button", { type: "submit", class: "primary" }, "Log in"),
      ),
    );
    user.focus();
  });
}
