// The demo under test, and who changes things in it while others listen.
import { randomUUID } from 'node:crypto';

/** The address of the demo; the tests are started by .ci/with-demo. */
export const base = (process.env.BASE_URL ?? 'http://127.0.0.1:8080').replace(/\/+$/, '');
export const graph = `${base}/graphql`;
export const socket = `${base.replace(/^http/, 'ws')}/graphql`;

export const manager = 'token manager:demo';
export const sales = 'token sales:demo';

/** What the graph answers to one request over HTTP. Errors are thrown. */
export async function ask(query, variables = {}, authorization = manager) {
  const response = await fetch(graph, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Authorization: authorization },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) {
    throw new Error(JSON.stringify(errors));
  }
  return data;
}

/** Makes a customer of this test's own, and gives its name. */
export async function newCustomer() {
  const { createCustomer } = await ask(
    'mutation ($name: String!) { createCustomer(input: { customerName: $name, customerType: COMPANY }) { name } }',
    { name: `Clients ${randomUUID()}` },
  );
  return createCustomer.name;
}

export const setWebsite = `mutation ($name: String!, $website: String!) {
  updateCustomer(name: $name, input: { website: $website }) { customer { website } }
}`;

/** Changes a customer: its website is what tells one state from another. */
export const change = (name, website) => ask(setWebsite, { name, website });

export const customerChanges = `subscription ($names: [String!], $after: String) {
  customerChanged(names: $names, after: $after) { cursor kind name document { website } }
}`;

/** The sum of a change: its kind, and the website that the customer had by then. */
export const summary = ({ data, errors }) => {
  if (errors) {
    throw new Error(JSON.stringify(errors));
  }
  const { kind, document } = data.customerChanged;
  // The webhook of a new customer may come so late that its first change is one event with it.
  return [kind === 'CREATED' && document.website ? 'UPDATED' : kind, document.website];
};
