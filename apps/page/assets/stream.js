// The stream of server-sent events; it says when it is lost, and tries again.

const AGAIN_S = [1, 2, 4, 8];

export class Stream {
  /** handlers: {NAME: (data) => ..}; state(text, kind) with kind live, lost or refused. */
  constructor(url, handlers, state) {
    Object.assign(this, {url, handlers, state, failed: 0});
    this.open();
  }

  open() {
    this.state('connecting', 'lost');
    const source = new EventSource(this.url);
    this.source = source;
    source.onopen = () => {
      this.failed = 0;
      this.state('live', 'live');
    };
    source.onerror = () => this.lost();
    for (const [name, handle] of Object.entries(this.handlers))
      source.addEventListener(name, (e) => {
        let data;
        try {
          data = JSON.parse(e.data);
        } catch {
          return;  // a line that was cut
        }
        handle(data);
      });
  }

  lost() {
    this.source.close();
    const wait = AGAIN_S[Math.min(this.failed++, AGAIN_S.length - 1)];
    this.state(`lost; next try in ${wait} s`, 'lost');
    setTimeout(() => this.open(), wait * 1000);
  }
}
