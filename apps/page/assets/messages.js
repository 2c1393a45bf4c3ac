// Messages as the UEs have them, beside the ciphertext that the sniffer has.
import {called, el, seconds, shown, spaced} from './format.js';

const MOST = 100;

export class Messages {
  constructor(place, store, select) {
    Object.assign(this, {place, store, select, list: []});
    this.clear();
  }

  clear() {
    this.list = [];
    this.place.replaceChildren(el('li', {class: 'none'}, 'No message yet'));
  }

  /** The frame that the sniffer has of a message: the last one of these addresses at its time. */
  frameOf(m) {
    if (Number.isFinite(m.frame)) return this.store.frame(m.frame);
    if (!m.src) return undefined;
    const list = this.store.frames;
    for (let i = this.store.placeOf(m.t + 0.002) - 1; i >= 0 && list[i].t > m.t - 1; --i)
      if (list[i].src === m.src && (!m.ciphertext || list[i].octets?.startsWith(m.ciphertext.slice(0, 64)))) return list[i];
    return undefined;
  }

  add(m) {
    if (!this.list.length) this.place.replaceChildren();
    this.list.unshift(m);
    this.place.prepend(this.element(m));
    while (this.list.length > MOST) {
      this.list.pop();
      this.place.lastElementChild.remove();
    }
  }

  element(m) {
    const link = [m.from, m.to].sort().join('-');
    const f = this.frameOf(m), open = m.open === true || typeof f?.open === 'string';
    const cipher = m.ciphertext ?? f?.octets;
    return el('li', {class: `message${open ? ' open' : ''}`, 'data-link': link, 'data-frame': f?.id},
      el('div', {class: 'said'}, el('p', {class: 'who'}, `${called(m.from)} \u2192 ${called(m.to)}`, el('time', {}, Number.isFinite(m.t) ? `${seconds(this.store.since(m.t), 2)} s` : '')),
        el('p', {class: 'bubble', dir: 'auto'}, shown(m.text))),
      el('div', {class: 'heard'}, el('p', {class: 'who'}, open ? 'the sniffer, with Mary\u2019s keys' : 'the sniffer', m.src ? el('span', {class: 'mono'}, `${shown(m.src, 8)} \u2192 ${shown(m.dst, 8)}`) : null,
        f ? el('button', {type: 'button', class: 'small', click: () => this.select(f.id)}, `frame ${f.id}`) : null),
      el('p', {class: 'cipher mono', dir: 'ltr'}, open ? shown(m.text) : cipher ? shown(spaced(cipher.slice(0, 192)), 300) : 'this frame was not caught')));
  }

  /** Frames may be told after their message, and stolen keys read what is there already. `all`: not only those without a frame. */
  refresh(all) {
    [...this.place.children].forEach((e, k) => {
      const m = this.list[k];
      if (m?.src && (all || e.dataset.frame === undefined) && this.frameOf(m)) e.replaceWith(this.element(m));
    });
  }
}
