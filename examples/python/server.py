#!/usr/bin/python3
"""Answers with the path that is asked for, read as YAML by libyaml."""

import http.server
import json
import urllib.parse

import yaml


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = urllib.parse.unquote(self.path[1:])
        # CLoader is the native extension: there is none without libyaml.
        reply = json.dumps(yaml.load(text, yaml.CSafeLoader)) + "\n"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(reply.encode())


http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
