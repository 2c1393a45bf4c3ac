// What the page knows: frames by number, layer-2 IDs, events of the UEs.

const MOST_FRAMES = 200_000;

export class Store extends EventTarget {
  constructor() {
    super();
    this.reset();
  }

  reset() {
    this.hello = {};
    this.frames = [];            // in the order of their numbers
    this.at = new Map();         // number -> place in `frames`, plus `dropped`
    this.dropped = 0;
    this.ids = new Map();        // layer-2 ID -> {id, first, last, n, open, link, owner, peer}
    this.pairs = new Map();      // "src dst" -> {src, dst, n, last, open}
    this.links = new Map();      // "john-mary" -> {names, up, epoch, fingerprint, ...}
    this.marks = [];             // {t, name, peer, what}
    this.flagged = new Set();    // numbers of frames that findings name
    this.zero = null;            // device time that the page calls 0 s
    this.now = 0;                // device time of the latest thing heard
    this.tell('reset');
  }

  tell(what, detail) {
    this.dispatchEvent(new CustomEvent(what, {detail}));
  }

  frame(number) {
    const place = this.at.get(number);
    return place === undefined ? undefined : this.frames[place - this.dropped];
  }

  /** New frames at the end; one with a known number takes that one's place. */
  addFrames(list) {
    let changed = false;
    const before = this.frames.length;
    for (const f of list) {
      if (!f || !Number.isFinite(f.id) || !Number.isFinite(f.t)) continue;
      const place = this.at.get(f.id);
      if (place !== undefined) {
        if (this.frames[place - this.dropped].t !== f.t) {
          // Another run under the same address: what was known is of the one before.
          const hello = this.hello;
          this.reset();
          this.hello = hello;
          return this.addFrames(list);
        }
        this.frames[place - this.dropped] = f;
        changed = true;
      } else {
        this.at.set(f.id, this.dropped + this.frames.length);
        this.frames.push(f);
      }
      this.note(f, place === undefined);
    }
    this.forget();
    this.tell('frames', {added: this.frames.length - before, changed});
  }

  /** Something was heard at a time. */
  heard(t) {
    if (!Number.isFinite(t) || t <= 0) return;  // what was told before the radio had a time
    this.zero ??= Math.floor(t);
    this.now = Math.max(this.now, t);
  }

  /** A time as the page shows it: seconds since it began to listen. */
  since(t) {
    return t - (this.zero ?? 0);
  }

  /** What is known later of frames that are here: their link, or what stolen keys read in them. */
  update(list) {
    let changed = false;
    for (const u of list) {
      const f = this.frame(u?.id);
      if (!f) continue;
      Object.assign(f, u);
      this.note(f, false);
      changed = true;
    }
    if (changed) this.tell('frames', {added: 0, changed});
  }

  note(f, fresh) {
    this.heard(f.t);
    if (!f.src) return;
    const open = typeof f.open === 'string';
    const id = this.ids.get(f.src) ?? {id: f.src, first: f.t, last: f.t, n: 0, open: false, link: null};
    this.ids.set(f.src, id);
    id.last = Math.max(id.last, f.t);
    id.first = Math.min(id.first, f.t);
    id.n += fresh ? 1 : 0;
    id.open ||= open;
    id.link = f.link ?? id.link;
    if (!f.dst) return;
    const name = `${f.src} ${f.dst}`;
    const pair = this.pairs.get(name) ?? {src: f.src, dst: f.dst, n: 0, last: f.t, open: false};
    this.pairs.set(name, pair);
    pair.n += fresh ? 1 : 0;
    pair.last = Math.max(pair.last, f.t);
    pair.open ||= open;
  }

  forget() {
    const over = this.frames.length - MOST_FRAMES;
    if (over <= 0) return;
    for (const f of this.frames.splice(0, over + MOST_FRAMES / 20)) {
      this.at.delete(f.id);
      ++this.dropped;
    }
    for (const [key, id] of this.ids) if (id.last < this.now - 600) this.ids.delete(key);
    for (const [key, p] of this.pairs) if (p.last < this.now - 600) this.pairs.delete(key);
  }

  addUe(list) {
    for (const e of list) {
      if (!e || typeof e.event !== 'string') continue;
      this.heard(e.t);
      if (e.peer && e.own_l2_id) this.own(e.own_l2_id, e.name, e.peer, e.t);
      this.link(e);
    }
    this.marks = this.marks.slice(-2000);
    this.tell('ue', list);
  }

  own(id, name, peer, t) {
    const x = this.ids.get(id) ?? {id, first: t, last: t, n: 0, open: false, link: null};
    x.owner = name;
    x.peer = peer;
    this.ids.set(id, x);
  }

  link(e) {
    const what = {link_established: 'set-up', rekeyed: 'rekeying', epoch: 'epoch', link_lost: 'release', peer_withdrawn: 'withdrawn'}[e.event];
    if (e.event === 'stopped') for (const l of this.links.values()) if (l.names.includes(e.name)) l.up = false;
    if (!what || !e.peer) return;
    this.marks.push({t: e.t, name: e.name, peer: e.peer, what});
    const names = [e.name, e.peer].sort();
    const key = names.join('-');
    const l = this.links.get(key) ?? {key, names, up: false};
    l.up = what !== 'release' && what !== 'withdrawn';
    l.epoch = e.epoch ?? l.epoch;
    l.suite = e.suite ?? l.suite;
    l.fingerprint = e.key_fingerprint ?? l.fingerprint;
    this.links.set(key, l);
  }

  /** Whether stolen keys read something of a link. */
  opened(key) {
    const names = key.split('-').sort().join('-');
    for (const x of this.ids.values()) {
      if (!x.open) continue;
      const of = x.owner ? [x.owner, x.peer].sort().join('-') : x.link?.split('-').sort().join('-');
      if (of === names) return true;
    }
    return false;
  }

  /** Place of the first frame at or after a time. */
  placeOf(t) {
    let low = 0, high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle].t < t) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
