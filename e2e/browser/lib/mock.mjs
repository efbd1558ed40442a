// A GraphQL server of a few rows, shaped like erpgraph's graph, so that the page
// can be tested without the product behind it.
import http from 'node:http';
import { EventEmitter, on } from 'node:events';
import { buildSchema, graphql, GraphQLError } from 'graphql';

import { serveSubscriptions } from './mock-socket.mjs';

const schema = buildSchema(`
  "Opaque text that marks a place in a list."
  scalar Cursor
  "An exact number, as text."
  scalar Decimal

  type Query {
    "Customers that the caller may read."
    customers(first: Int = 20, where: CustomerWhere): CustomerConnection!
    "Sales orders that the caller may read."
    salesOrders(first: Int = 20): SalesOrderConnection!
  }
  input CustomerWhere { customerGroup: String }
  type CustomerConnection { nodes: [Customer!]! totalCount: Int! }
  type Customer { name: String! customerName: String customerGroup: String }
  type SalesOrderConnection { nodes: [SalesOrder!]! totalCount: Int! }
  type SalesOrder { name: String! status: String poNo: String grandTotal: Decimal customer: Customer items: [SalesOrderItem!]! }
  type SalesOrderItem { itemCode: String! qty: Float rate: Decimal }

  type Mutation {
    updateSalesOrder(name: String!, input: SalesOrderUpdate!): SalesOrderPayload
  }
  input SalesOrderUpdate { poNo: String }
  type SalesOrderPayload { name: String! salesOrder: SalesOrder }

  type Subscription {
    salesOrderChanged(names: [String!], after: String): SalesOrderChange!
  }
  type SalesOrderChange { cursor: String! kind: String! at: String! name: String! document: SalesOrder }
`);

const customers = [
  { name: 'CUST-0001', customerName: 'Northwind Traders', customerGroup: 'Commercial' },
  { name: 'CUST-0002', customerName: 'Blue Harbour Ltd', customerGroup: 'Commercial' },
  { name: 'CUST-0003', customerName: 'Öresund Works', customerGroup: 'Government' },
];

const orders = customers.map((customer, i) => ({
  name: `SAL-ORD-2024-0000${i + 1}`,
  status: ['TO_DELIVER_AND_BILL', 'COMPLETED', 'DRAFT'][i],
  grandTotal: `${1240 + 310 * i}.50`,
  customer,
  items: [
    { itemCode: 'PUMP-20', qty: 2 + i, rate: '410.00' },
    { itemCode: 'SEAL-KIT', qty: 4, rate: '18.75' },
  ],
}));

function connection(rows, { first }) {
  return { nodes: rows.slice(0, first), totalCount: rows.length };
}

const changes = new EventEmitter();

const rootValue = {
  customers: args => connection(customers, args),
  salesOrders: args => connection(orders, args),
  updateSalesOrder({ name, input }) {
    const order = orders.find(candidate => candidate.name === name);
    if (!order) {
      throw new GraphQLError('there is no such order', { extensions: { code: 'NOT_FOUND' } });
    }
    Object.assign(order, input);
    changes.emit('order', order);
    return { name, salesOrder: order };
  },
  salesOrderChanged,
};

/** The changes of orders. Some places in the log lead to the ends that a stream may have. */
async function* salesOrderChanged({ after }) {
  const event = order => ({
    cursor: `after-${order.name}`, kind: 'UPDATED', at: '2026-11-25T09:00:00.000000+00:00', name: order.name, document: order,
  });
  switch (after) {
    case 'expired':
      throw new GraphQLError('the log does not reach back to this cursor', { extensions: { code: 'CURSOR_EXPIRED' } });
    case 'slow':
      yield { salesOrderChanged: event(orders[0]) };
      throw new GraphQLError('events came faster than they were read', { extensions: { code: 'RESUME', cursor: 'go-on-here' } });
    case 'revoked':
      yield { salesOrderChanged: event(orders[0]) };
      throw Object.assign(new Error('Unauthorized: the session has ended'), { closeCode: 4401 });
    case 'over':
      yield { salesOrderChanged: event(orders[0]) };
      return;
    default:
      for await (const [order] of on(changes, 'order')) {
        yield { salesOrderChanged: event(order) };
      }
  }
}

/** Whether a credential counts. */
const allows = authorization => /^(token|Bearer) ./.test(authorization ?? '') && !authorization.includes('wrong');

/** The page's settings for this server, in the form of web.Options. */
export const options = {
  DocsURL: 'https://example.com/docs',
  DefaultQuery: `# Open orders, each with its customer and rows.
query Orders {
  salesOrders(first: 3) {
    totalCount
    nodes {
      name
      status
      grandTotal
      customer {
        customerName
        customerGroup
      }
      items {
        itemCode
        qty
      }
    }
  }
}
`,
  Examples: [`# Each change of an order, as it happens.
subscription OrderChanges {
  salesOrderChanged {
    kind
    cursor
    at
    name
    document {
      name
      status
      grandTotal
      customer {
        customerName
      }
    }
  }
}
`],
  DefaultHeaders: { Authorization: 'token sales:demo' },
  Users: ['sales', 'manager', 'north', 'stock', 'nobody'].map(name => ({
    name,
    description: `${name}@example.com`,
    authorization: `token ${name}:demo`,
  })),
};

/** Starts the server on a free port; resolves to { url, close }. */
export async function startMock() {
  const server = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) {
      chunks.push(chunk);
    }
    const answer = body => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(body));
    };
    try {
      const { query, variables, operationName } = JSON.parse(Buffer.concat(chunks).toString());
      if (!allows(request.headers.authorization) && !query.includes('__schema')) {
        answer({ data: null, errors: [{ message: 'no credential', extensions: { code: 'UNAUTHENTICATED' } }] });
        return;
      }
      answer(await graphql({ schema, source: query, rootValue, variableValues: variables, operationName }));
    } catch (error) {
      response.statusCode = 400;
      answer({ errors: [{ message: String(error) }] });
    }
  });
  serveSubscriptions(server, { schema, rootValue, allows });
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise(resolve => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}
