import { InputError, type Place } from '@inlay/connectors/kit';

/** A parameter's value with its `{variables}` from meta, then vars. @throws InputError `missing_variable` */
export function fillTemplate(template: string, place: Place): string {
  return template.replace(/\{([A-Za-z0-9_.]+)\}/g, (_whole, name: string) => {
    const value = [place.meta, place.vars]
      .map((values) => (Object.hasOwn(values, name) ? values[name] : undefined))
      .find((found) => found !== undefined && found !== '');
    if (value === undefined) throw new InputError('missing_variable', name, `"${name}" has no value`);
    return value;
  });
}
