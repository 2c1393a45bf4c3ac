"""The control socket between scripts/demo --live and prose-page: newline-delimited JSON. What the page may ask is what is offered."""
import json, os, socket, threading

MOST_LINE = 256 * 1024
KEPT = 200  # of what was told, for a page that connects later


class live_control:
    """`handlers`: {action: function(request) -> error or None}; each runs in a thread of its own."""

    def __init__(self, path, handlers, names, weak):
        self.path, self.handlers, self.clients, self.kept = path, handlers, [], []
        self.hello = {'control': 'hello', 'actions': list(handlers), 'names': list(names), 'weak': weak}
        self.lock = threading.Lock()
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            self.server.bind(path)
        finally:
            os.umask(before)
        self.server.listen(4)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            client.settimeout(None)
            with self.lock:
                self.send(client, self.hello)
                for m in self.kept:
                    self.send(client, m)
                self.clients.append(client)
            threading.Thread(target=self.listen, args=(client,), daemon=True).start()

    def listen(self, client):
        rest = b''
        try:
            while True:
                more = client.recv(65536)
                if not more or len(rest) > MOST_LINE:
                    break
                *lines, rest = (rest + more).split(b'\n')
                for line in lines:
                    threading.Thread(target=self.answer, args=(client, line), daemon=True).start()
        except OSError:
            pass
        with self.lock:
            if client in self.clients:
                self.clients.remove(client)
        client.close()

    def answer(self, client, line):
        number = None
        try:
            asked = json.loads(line)
            number = asked.get('id')
            handle = self.handlers.get(asked.get('action'))
            error = handle(asked) if handle else 'not offered'
        except Exception as e:  # whatever it is: the page gets one line, and the demo goes on
            error = str(e).split('\n')[0] or type(e).__name__
        with self.lock:
            self.send(client, {'id': number, 'ok': error is None, **({} if error is None else {'error': error})})

    def send(self, client, message):
        try:
            client.sendall(json.dumps(message).encode() + b'\n')
        except OSError:
            pass

    def tell(self, message):
        with self.lock:
            self.kept = (self.kept + [message])[-KEPT:]
            for c in self.clients:
                self.send(c, message)

    def close(self):
        self.server.close()
        with self.lock:
            for c in self.clients:
                c.close()
        if os.path.exists(self.path):
            os.unlink(self.path)
