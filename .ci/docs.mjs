// Checks Markdown files: node docs.mjs FILE…
// A link must lead to a file of the project and, with #, to a heading there. `make x`
// must be a target, `.ci/run x` a step, `go run ./x` a folder. Other hosts are not asked.
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

const troubles = [];
const targets = new Set([...readFileSync('Makefile', 'utf8').matchAll(/^([a-z]+):/gm)].map(match => match[1]));

/** The text without fenced code blocks, line numbers kept. */
const withoutFences = text =>
  text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2 *$/gm, block => block.replace(/[^\n]/g, ''));

/** The anchors of a file's headings, as code hosts make them of the text. */
function anchors(file) {
  const seen = new Map();
  const ids = new Set();
  for (const [, heading] of withoutFences(readFileSync(file, 'utf8')).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replace(/[`*]/g, '');
    const id = text.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replaceAll(' ', '-');
    const count = seen.get(id) ?? 0;
    seen.set(id, count + 1);
    ids.add(count === 0 ? id : `${id}-${count}`);
  }
  return ids;
}

function checkLink(file, target) {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) {
    return undefined; // another host, or mail
  }
  const [place, anchor] = target.split('#');
  const to = place === '' ? file : path.join(path.dirname(file), decodeURIComponent(place));
  if (!existsSync(to)) {
    return `leads nowhere: ${target}`;
  }
  if (anchor && to.endsWith('.md') && !anchors(to).has(anchor)) {
    return `no such heading: ${target}`;
  }
  return undefined;
}

/** What is wrong with the commands in a line, which may be prose or shell. */
function* checkCommands(line) {
  for (const [, target] of line.matchAll(/(?:^|`|[;&|$] *)make ([a-z]+)/g)) {
    if (!targets.has(target)) {
      yield `no such target: make ${target}`;
    }
  }
  for (const [, steps] of line.matchAll(/\.ci\/run((?: [a-z]+)+)(?=$|`| *#)/g)) {
    for (const step of steps.trim().split(' ')) {
      if (!existsSync(`.ci/steps/${step}`)) {
        yield `no such step: .ci/run ${step}`;
      }
    }
  }
  for (const [, folder] of line.matchAll(/go run (\.\/[\w./-]+)/g)) {
    if (!existsSync(folder) || !statSync(folder).isDirectory()) {
      yield `no such program: go run ${folder}`;
    }
  }
}

for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  const report = (number, trouble) => troubles.push(`${file}:${number + 1}: ${trouble}`);
  withoutFences(text).split('\n').forEach((line, number) => {
    const prose = line.replace(/`[^`]*`/g, '');
    const links = [
      ...prose.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g),
      ...prose.matchAll(/^\[[^\]]+\]: +(\S+)/g),
      ...prose.matchAll(/(?:src|href)="([^"]+)"/g),
    ];
    for (const [, target] of links) {
      const trouble = checkLink(file, target);
      if (trouble) {
        report(number, trouble);
      }
    }
  });
  text.split('\n').forEach((line, number) => {
    for (const trouble of checkCommands(line)) {
      report(number, trouble);
    }
  });
}

if (troubles.length > 0) {
  console.error(troubles.join('\n'));
  process.exit(1);
}
console.log(`${process.argv.length - 2} Markdown files, no dead link`);
