/**
 * What comes into artefacts from elsewhere, apart from the packages in package-lock.json. A release takes exactly these
 * versions. How to move to newer ones: docs/releasing.md.
 */
export const PINS = {
  node: {
    version: '24.21.0',
    /** Of the npm packages that hold the binaries. */
    integrity: {
      amd64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
      arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
  },
  /**
   * Packages of Debian 12: the libraries that Node needs, the certificates, and of base-files the licences that the others
   * name. apt checks their signatures.
   */
  debian: [
    { name: 'base-files', version: '12.4+deb12u15', licence: 'GPL-2.0-or-later' },
    { name: 'ca-certificates', version: '20250419~deb12u2', licence: 'MPL-2.0 AND GPL-2.0-or-later' },
    { name: 'gcc-12-base', version: '12.2.0-14+deb12u1', licence: 'GPL-3.0-or-later WITH GCC-exception-3.1' },
    { name: 'libc6', version: '2.36-9+deb12u14', licence: 'LGPL-2.1-or-later' },
    { name: 'libgcc-s1', version: '12.2.0-14+deb12u1', licence: 'GPL-3.0-or-later WITH GCC-exception-3.1' },
    { name: 'libstdc++6', version: '12.2.0-14+deb12u1', licence: 'GPL-3.0-or-later WITH GCC-exception-3.1' },
  ],
} as const;
