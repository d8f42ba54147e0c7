/**
 * Addresses that can register and get mail: of RFC 5321 section 4.1.2, a dot-atom of at most 64
 * characters, `@`, and a host name of at least two labels, or `localhost`; 254 characters at most.
 * No quotes, comments, domain literals or line breaks, so that every software reads an address as
 * the same one. The last label begins with a letter, so it is not an IP address.
 */
export const mailAddressPattern =
  "^(?=.{3,254}$)(?=.{1,64}@)[\\w!#$%&'*+/=?^`{|}~-]+(?:\\.[\\w!#$%&'*+/=?^`{|}~-]+)*@" +
  '(?:(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\\.)+' +
  '[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?|localhost)$'
