import type { Clock } from './clock.ts';
import { createApiKey, hashPassword } from './people.ts';
import { createRecord } from './records.ts';
import type { Store } from './store.ts';

/** The password of every seeded person, shown on the sign-in page. */
export const demoPassword = 'demo';
/** Ready for scripts; works for Analytical Engines. */
export const demoApiKey = 'acme_key_demo_ada';
/** The company that owns apps registered at start, unless the app says otherwise. */
export const defaultCompanyId = 'analytical-engines';

const companies = [
  {
    id: defaultCompanyId,
    name: 'Analytical Engines',
    people: [
      { id: 'usr_ada', email: 'ada@analytical.example', name: 'Ada Lovelace' },
      { id: 'usr_charles', email: 'charles@analytical.example', name: 'Charles Babbage' },
    ],
    contacts: [
      {
        name: 'Mary Somerville',
        email: 'mary@somerville.example',
        title: 'Director of Research',
        status: 'customer',
      },
      {
        name: 'Michael Faraday',
        email: 'michael@faraday.example',
        title: 'Head of Laboratory',
        status: 'lead',
      },
      { name: 'George Boole', email: 'george@boole.example', title: 'Professor', status: 'lead' },
    ],
    deals: [
      { name: 'Difference Engine No. 3', amount: 17_000, currency: 'GBP', stage: 'proposal' },
      { name: 'Punched cards, yearly supply', amount: 2_400, currency: 'GBP', stage: 'won' },
    ],
  },
  {
    id: 'cobol-corp',
    name: 'Cobol Corp',
    people: [{ id: 'usr_grace', email: 'grace@cobol.example', name: 'Grace Hopper' }],
    contacts: [
      { name: 'Jean Bartik', email: 'jean@eniac.example', title: 'Programmer', status: 'customer' },
      { name: 'Howard Aiken', email: 'howard@mark1.example', title: 'Director', status: 'lead' },
    ],
    deals: [{ name: 'Compiler licence', amount: 9_500, currency: 'USD', stage: 'negotiation' }],
  },
];

export const demoLogins = ['ada@analytical.example', 'grace@cobol.example'];

/** Fills an empty store with two companies; a store that has any is left as it is. */
export function seed(deps: { store: Store; clock: Clock }): void {
  const { store, clock } = deps;
  store.transaction(() => {
    if (store.one('select 1 from company') !== undefined) return;
    for (const company of companies) {
      store.run('insert into company values (?, ?)', company.id, company.name);
      for (const { id, email, name } of company.people) {
        const values = [id, company.id, email, name, hashPassword(demoPassword), clock.now().toISOString()];
        store.run('insert into person values (?, ?, ?, ?, ?, ?)', ...values);
      }
      const owner_id = company.people[0]?.id ?? null;
      for (const contact of company.contacts) {
        const fields = { ...contact, phone: null, owner_id };
        createRecord(deps, { companyId: company.id, kind: 'contact', fields });
      }
      for (const deal of company.deals) {
        const fields = { ...deal, contact_id: null, close_date: null, owner_id };
        createRecord(deps, { companyId: company.id, kind: 'deal', fields });
      }
    }
    createApiKey(deps, { personId: 'usr_ada', name: 'Demo key', key: demoApiKey });
  });
}
