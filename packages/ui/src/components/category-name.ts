const initials: Readonly<Record<string, string>> = {
  crm: 'CRM',
  ats: 'ATS',
  hris: 'HRIS',
  erp: 'ERP',
  hr: 'HR',
  ai: 'AI',
};

/** A category as people write it. */
export function categoryName(category: string): string {
  return (
    initials[category.toLowerCase()] ??
    category.charAt(0).toUpperCase() + category.slice(1).replaceAll(/[-_]/g, ' ')
  );
}
