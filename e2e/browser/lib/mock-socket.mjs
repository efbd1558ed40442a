// Subscriptions of the mock server: as much of graphql-transport-ws as the page needs,
// and streams that end as erpgraph's do.
import { parse, subscribe, validate } from 'graphql';
import { WebSocketServer } from 'ws';

/** Lets server answer subscriptions of schema. rootValue's fields may throw an array of
 * errors: the stream ends with them. allows tells whether a credential counts. */
export function serveSubscriptions(server, { schema, rootValue, allows }) {
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'graphql-transport-ws' });
  sockets.on('connection', socket => {
    const running = new Map();
    const send = message => socket.send(JSON.stringify(message));
    const handle = {
      connection_init({ payload }) {
        if (allows(payload?.authorization)) {
          send({ type: 'connection_ack' });
        } else {
          socket.close(4403, 'Forbidden: the credential does not count');
        }
      },
      async subscribe({ id, payload }) {
        const document = parse(payload.query);
        const events = await begin(document, payload);
        if (Array.isArray(events)) {
          send({ id, type: 'error', payload: events });
          return;
        }
        running.set(id, events);
        try {
          for await (const payload of events) {
            send({ id, type: 'next', payload });
          }
          send({ id, type: 'complete' });
        } catch (error) {
          if (typeof error.closeCode === 'number') {
            socket.close(error.closeCode, error.message);
          } else {
            send({ id, type: 'error', payload: [error] });
          }
        } finally {
          running.delete(id);
        }
      },
      complete: ({ id }) => running.get(id)?.return(),
    };
    socket.on('message', data => {
      const message = JSON.parse(data.toString());
      void handle[message.type]?.(message);
    });
    socket.on('close', () => running.forEach(events => void events.return()));
  });

  /** The events of an operation, or the errors why there are none. */
  async function begin(document, { variables, operationName }) {
    const errors = validate(schema, document);
    if (errors.length > 0) {
      return errors;
    }
    const result = await subscribe({ schema, document, rootValue, variableValues: variables, operationName });
    return Symbol.asyncIterator in result ? result : result.errors;
  }
}
