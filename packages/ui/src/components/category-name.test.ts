import assert from 'node:assert/strict';
import { test } from 'node:test';
import { categoryName } from './category-name.ts';

test('a category is written as people write it: abbreviations in capitals, others with one', () => {
  const written = ['crm', 'Crm', 'hris', 'sales', 'project-management', 'Customer Success'].map(categoryName);
  assert.deepEqual(written, ['CRM', 'CRM', 'HRIS', 'Sales', 'Project management', 'Customer Success']);
});
