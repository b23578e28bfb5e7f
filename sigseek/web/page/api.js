// All requests to the server, and what went wrong with them.

const ROOT = "/api/v1/";

/** The server's answer that something is wrong with a request (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The server answered ${status}`);
    this.status = status;
    this.kind = body.kind ?? "";
    this.remedy = body.remedy?.text ?? "";
    this.column = body.column ?? null;
    this.length = body.length ?? null;
  }

  /** Return what was found and what to do about it, as one text. */
  inWords() {
    return this.remedy && !this.message.includes(this.remedy)
      ? `${this.message}; ${this.remedy}`
      : this.message;
  }
}

/** The server does not answer. */
export class LostServer extends Error {
  constructor() {
    super("sigseek's server does not answer");
  }

  inWords() {
    return this.message;
  }
}

export class Api {
  /** `onLost` is called whenever a request finds no server. */
  constructor(onLost) {
    this.onLost = onLost;
  }

  /** Return the JSON that a request is answered with, or null where the answer is empty. */
  async ask(path, options = {}) {
    const response = await this.respond(path, options);
    return response.status === 204 ? null : response.json();
  }

  /** Return the bytes that a request is answered with. */
  async bytes(path, options = {}) {
    return (await this.respond(path, options)).arrayBuffer();
  }

  /** Return a request's response. `query` holds parameters; `json` or `form` is the body. Raises
   * Problem and LostServer, and AbortError after `signal`.
   */
  async respond(path, { query = {}, method, json, form, signal, accept } = {}) {
    const headers = { "X-Sigseek": "1" };
    if (accept) headers.Accept = accept;
    if (json !== undefined) headers["Content-Type"] = "application/json";
    const body = json === undefined ? form : JSON.stringify(json);
    const request = {
      method: method ?? (body === undefined ? "GET" : "POST"), headers, body, signal,
    };
    let response;
    try {
      response = await fetch(address(path, query), request);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.onLost();
      throw new LostServer();
    }
    if (response.ok) return response;
    if (response.status === 401) location.assign(`/login${location.search}`);
    throw new Problem(response.status, await problemOf(response));
  }

  /** Return whether the server answers. */
  async isThere() {
    try {
      return (await fetch(`${ROOT}health/live`, { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  }

  /** Return the server's stream of events. */
  events() {
    return new EventSource(`${ROOT}events`);
  }
}

function address(path, query) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) value.forEach((one) => given.append(name, one));
    else if (value !== undefined && value !== null && value !== "" && value !== false) {
      given.set(name, String(value));
    }
  }
  const text = given.toString();
  return `${ROOT}${path}${text ? `?${text}` : ""}`;
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { detail: `The server answered ${response.status} ${response.statusText}` };
  }
}
