#!/usr/bin/env node
'use strict';

const crypto = require('crypto');
const http = require('http');
const zlib = require('zlib');

// Something of OpenSSL, of zlib and of ICU, which Debian's Node.js takes from outside.
function reply(path) {
  const digest = crypto.createHash('sha256').update(path).digest('hex');
  const back = zlib.gunzipSync(zlib.gzipSync(path)).toString();
  const day = new Intl.DateTimeFormat('fr-FR', { weekday: 'long', timeZone: 'UTC' }).format(new Date(0));
  return `${digest}\n${back}\n${day}\n`;
}

const server = http.createServer((request, response) => response.end(reply(request.url)));
server.listen(8080);
process.on('SIGTERM', () => server.close());
