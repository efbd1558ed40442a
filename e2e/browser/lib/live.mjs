// What the tests of subscriptions share: who changes an order, and what goes over a socket.
import assert from 'node:assert/strict';

/** Changes orders at a graph as the manager, outside the page. */
export function writer(endpoint) {
  let number = 0;
  const ask = async (query, variables) => {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: 'token manager:demo' },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = await response.json();
    assert.equal(errors, undefined, JSON.stringify(errors));
    return data;
  };
  return {
    /** The name of an order that may be changed. */
    async draft() {
      const { salesOrders } = await ask('{ salesOrders(first: 200) { nodes { name status } } }');
      return salesOrders.nodes.find(order => order.status === 'DRAFT').name;
    },
    /** Changes an order, and resolves to its new poNo. */
    async change(name) {
      const poNo = `PO-${process.pid}-${++number}`;
      await ask(
        'mutation ($name: String!, $poNo: String) { updateSalesOrder(name: $name, input: { poNo: $poNo }) { name } }',
        { name, poNo },
      );
      return poNo;
    },
  };
}

/** Does act now and each second until the promise is settled. Nobody is told when a
 * subscription has begun: what changes before is not in it. */
export async function untilSeen(seen, act) {
  const timer = setInterval(() => { act().catch(() => {}); }, 1000);
  try {
    await Promise.all([seen, act()]);
  } finally {
    clearInterval(timer);
  }
}

/** What goes over the next socket that the page opens: its frames, and its end. */
export function nextSocket(page) {
  const frames = { sent: [], received: [] };
  frames.closed = new Promise(resolve => {
    // At once: a listener that is added later misses the first frames.
    page.once('websocket', socket => {
      socket.on('framesent', ({ payload }) => frames.sent.push(JSON.parse(payload)));
      socket.on('framereceived', ({ payload }) => frames.received.push(JSON.parse(payload)));
      socket.once('close', resolve);
    });
  });
  return frames;
}
