// Prints as many free ports of this machine as asked for: node free-ports.mjs 2
import net from 'node:net';

const servers = Array.from({ length: Number(process.argv[2] ?? 1) }, () => net.createServer());
// All are held until all are known, so that none is given twice.
await Promise.all(servers.map(server => new Promise(resolve => server.listen(0, '127.0.0.1', resolve))));
console.log(servers.map(server => server.address().port).join(' '));
servers.forEach(server => server.close());
