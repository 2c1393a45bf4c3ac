// Buttons: a form for each action that the demonstration offers, and no others.
import {called, el} from './format.js';

const MOST_FILE = 64 * 1024;

export async function act(action) {
  try {
    const r = await fetch('/action', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(action)});
    const said = await r.json();
    return said.ok ? {ok: true} : {ok: false, error: String(said.error ?? r.statusText)};
  } catch {
    return {ok: false, error: 'the page\u2019s server does not answer'};
  }
}

function options(list) {
  return list.map(([value, text]) => el('option', {value}, text));
}

function base64(octets) {
  let s = '';
  for (const x of octets) s += String.fromCharCode(x);
  return btoa(s);
}

export class Actions {
  constructor({place, forms, said}) {
    Object.assign(this, {place, forms, said});
  }

  offer(actions, names, stolen) {
    const make = {send: () => this.send(), file: () => this.file(), withdraw: () => this.withdraw(), restart: () => this.restart(), jam: () => this.jam(), steal: () => this.steal(stolen)};
    this.names = names;
    const offered = Object.keys(make).filter((a) => actions.includes(a));
    this.forms.replaceChildren(...offered.map((a) => make[a]()));
    this.place.hidden = offered.length === 0;
  }

  pairs() {
    // Neighbours in the list have links; the others are offered too, and refused by the demonstration.
    const all = this.names.flatMap((a, i) => this.names.map((b, j) => ({a, b, near: Math.abs(i - j)}))).filter((x) => x.a !== x.b);
    return all.sort((x, y) => x.near - y.near).map(({a, b}) => [`${a} ${b}`, `${called(a)} \u2192 ${called(b)}`]);
  }

  form(name, title, button, parts, action) {
    const b = el('button', {type: 'submit', class: name === 'steal' ? 'steal' : null}, button);
    const form = el('form', {class: `action ${name}`, 'data-action': name, 'aria-label': title}, parts, b);
    form.addEventListener('submit', async (e) => {
      e.preventDefault();
      b.disabled = true;
      this.tell(`${title} \u2026`);
      const what = await action();
      const answer = what.error ? what : await act(what);
      this.tell(answer.ok ? `${title}: done` : `${title}: ${answer.error}`, !answer.ok);
      b.disabled = name === 'steal' && answer.ok === true;
      if (answer.ok) form.dispatchEvent(new Event('done'));
    });
    return form;
  }

  tell(text, bad = false) {
    this.said.textContent = text.slice(0, 300);
    this.said.classList.toggle('bad', bad);
  }

  pair(label) {
    return el('select', {'aria-label': label}, options(this.pairs()));
  }

  send() {
    const who = this.pair('From and to'), text = el('input', {type: 'text', 'aria-label': 'Text', maxlength: 1000, placeholder: 'meet me at the old mill', autocomplete: 'off'});
    const form = this.form('send', 'Message', 'Send', [who, text], () => {
      const [from, to] = who.value.split(' ');
      return {action: 'send', from, to, text: text.value || text.placeholder};
    });
    form.addEventListener('done', () => { text.value = ''; });
    return form;
  }

  file() {
    const who = this.pair('From and to'), file = el('input', {type: 'file', 'aria-label': 'File, at most 64 KiB'});
    return this.form('file', 'File', 'Send the file', [who, file], async () => {
      const [from, to] = who.value.split(' '), chosen = file.files[0];
      if (!chosen) return {error: 'choose a file first'};
      if (chosen.size > MOST_FILE) return {error: 'at most 64 KiB'};
      return {action: 'file', from, to, name: chosen.name, data: base64(new Uint8Array(await chosen.arrayBuffer()))};
    });
  }

  withdraw() {
    const who = this.pair('Whose permission, for whom');
    return this.form('withdraw', 'Withdrawal', 'Withdraw permission', [who], () => {
      const [from, to] = who.value.split(' ');
      return {action: 'withdraw', from, to};
    });
  }

  restart() {
    const who = el('select', {'aria-label': 'Who'}, options(this.names.map((n) => [n, called(n)])));
    return this.form('restart', 'Restart', 'Restart', [who], () => ({action: 'restart', name: who.value}));
  }

  jam() {
    const s = el('select', {'aria-label': 'How long'}, options([[1, '1 s'], [3, '3 s'], [10, '10 s']]));
    s.value = '3';
    return this.form('jam', 'Jamming', 'Jam', [s], () => ({action: 'jam', seconds: Number(s.value)}));
  }

  steal(stolen) {
    const form = this.form('steal', 'Theft', stolen ? 'Mary\u2019s keys are stolen' : 'Steal Mary\u2019s keys', [], () => ({action: 'steal'}));
    form.querySelector('button').disabled = stolen;
    return form;
  }
}
