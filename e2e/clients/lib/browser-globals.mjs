// What a browser has and this Node may lack, for the snippets of the docs. Of the session's
// cookie, which the browser would send, an Authorization header takes the place.
import { EventSource } from 'eventsource';
import WebSocket from 'ws';

globalThis.WebSocket ??= WebSocket;
globalThis.EventSource = class extends EventSource {
  constructor(url) {
    const fetchAsSales = (input, init) =>
      fetch(input, { ...init, headers: { ...init.headers, Authorization: 'token sales:demo' } });
    super(url, { fetch: fetchAsSales });
  }
};
