//! The x87 double-extended format (80 bits, explicit integer bit) and its conversion to and from `f64`.
//!
//! Layout as in the Intel SDM, volume 1, section 4.2.2: 64 bits of significand, 15 of exponent, 1 of sign,
//! little endian.

const BIAS_80: i32 = 16383;
const BIAS_64: i32 = 1023;
const EXPONENT_80: u16 = 0x7fff;
const FRACTION_64: u64 = (1 << 52) - 1;
const INTEGER_BIT: u64 = 1 << 63;
const QUIET_64: u64 = 0x7ff8_0000_0000_0000;

/// The `f64` nearest to an 80-bit value; ties go to the even one, NaN payloads keep their upper bits.
///
/// The encodings that the processor itself rejects (unnormals, pseudo-infinities, pseudo-NaNs) become NaN.
///
/// ```
/// use libdebug_arch::float80::{from_f64, to_f64};
/// assert_eq!(to_f64(from_f64(-1.5)), -1.5);
/// ```
#[must_use]
pub fn to_f64(bytes: [u8; 10]) -> f64 {
    let (sign, exponent, significand) = split(bytes);
    let magnitude = match (exponent, significand) {
        (_, 0) if exponent == 0 => 0,
        (1.., mantissa) if mantissa & INTEGER_BIT == 0 => QUIET_64,
        (EXPONENT_80, INTEGER_BIT) => f64::INFINITY.to_bits(),
        (EXPONENT_80, mantissa) => QUIET_64 | (mantissa >> 11 & FRACTION_64),
        (_, mantissa) => round(i32::from(exponent.max(1)) - BIAS_80, mantissa),
    };
    f64::from_bits(u64::from(sign) << 63 | magnitude)
}

/// The 80-bit value equal to `value`: every `f64` has one.
///
/// Signalling NaNs become quiet, as the processor's own conversion makes them.
#[must_use]
pub fn from_f64(value: f64) -> [u8; 10] {
    let bits = value.to_bits();
    let fraction = bits & FRACTION_64;
    let (exponent, significand) = match (bits >> 52 & 0x7ff) as i32 {
        0 if fraction == 0 => (0, 0),
        0 => normalize(fraction),
        0x7ff if fraction == 0 => (EXPONENT_80, INTEGER_BIT),
        0x7ff => (EXPONENT_80, INTEGER_BIT | 1 << 62 | fraction << 11),
        exponent => ((exponent - BIAS_64 + BIAS_80) as u16, INTEGER_BIT | fraction << 11),
    };
    join(value.is_sign_negative(), exponent, significand)
}

/// A subnormal `f64` is a normal number in the wider exponent range.
fn normalize(fraction: u64) -> (u16, u64) {
    let shift = fraction.leading_zeros();
    ((BIAS_80 - BIAS_64 + 12 - shift as i32) as u16, fraction << shift)
}

/// The bits of the `f64` nearest to `significand / 2^63 * 2^exponent`, without sign.
fn round(exponent: i32, significand: u64) -> u64 {
    let zeros = significand.leading_zeros();
    let (exponent, significand) = (exponent - zeros as i32, significand << zeros);
    if exponent > BIAS_64 {
        return f64::INFINITY.to_bits();
    }
    let dropped = 11 + (1 - BIAS_64 - exponent).max(0);
    if dropped > 64 {
        return 0;
    }
    // Adding instead of or-ing lets a carry out of the fraction raise the exponent, up to infinity.
    let exponent_field = (exponent + BIAS_64 - 1).max(0) as u64;
    (exponent_field << 52) + shift_right_to_even(significand, dropped as u32)
}

fn shift_right_to_even(value: u64, count: u32) -> u64 {
    let wide = u128::from(value);
    let kept = wide >> count;
    let rest = wide - (kept << count);
    let half = 1u128 << (count - 1);
    let up = rest > half || (rest == half && kept & 1 == 1);
    kept as u64 + u64::from(up)
}

fn split(bytes: [u8; 10]) -> (bool, u16, u64) {
    let [m0, m1, m2, m3, m4, m5, m6, m7, e0, e1] = bytes;
    let head = u16::from_le_bytes([e0, e1]);
    (head >> 15 == 1, head & EXPONENT_80, u64::from_le_bytes([m0, m1, m2, m3, m4, m5, m6, m7]))
}

fn join(negative: bool, exponent: u16, significand: u64) -> [u8; 10] {
    let [m0, m1, m2, m3, m4, m5, m6, m7] = significand.to_le_bytes();
    let [e0, e1] = (exponent | u16::from(negative) << 15).to_le_bytes();
    [m0, m1, m2, m3, m4, m5, m6, m7, e0, e1]
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[(f64, u16, u64)] = &[
        (0.0, 0, 0),
        (-0.0, 0x8000, 0),
        (1.0, 0x3fff, 0x8000_0000_0000_0000),
        (-1.5, 0xbfff, 0xc000_0000_0000_0000),
        (std::f64::consts::PI, 0x4000, 0xc90f_daa2_2168_c000),
        (f64::MAX, 0x43fe, 0xffff_ffff_ffff_f800),
        (f64::MIN_POSITIVE, 0x3c01, 0x8000_0000_0000_0000),
        (5e-324, 0x3bcd, 0x8000_0000_0000_0000),
        (f64::INFINITY, 0x7fff, 0x8000_0000_0000_0000),
        (f64::NEG_INFINITY, 0xffff, 0x8000_0000_0000_0000),
    ];

    fn f80(head: u16, significand: u64) -> [u8; 10] {
        join(head >> 15 == 1, head & 0x7fff, significand)
    }

    #[test]
    fn exact_values_convert_both_ways() {
        for &(value, head, significand) in TABLE {
            assert_eq!(from_f64(value), f80(head, significand), "{value}");
            assert_eq!(to_f64(f80(head, significand)).to_bits(), value.to_bits(), "{value}");
        }
    }

    #[test]
    fn rounding_goes_to_the_nearest_and_ties_to_even() {
        let one = 0x8000_0000_0000_0000;
        let ulp = f64::EPSILON;
        let cases = [
            (0x3fff, one + 0x3ff, 1.0),
            (0x3fff, one + 0x400, 1.0),
            (0x3fff, one + 0x401, 1.0 + ulp),
            (0x3fff, one + 0xc00, 1.0 + 2.0 * ulp),
            (0x3fff, u64::MAX, 2.0),
            (0x43fe, u64::MAX, f64::INFINITY),
            (0x43ff, one, f64::INFINITY),
            (0x3c00, u64::MAX, f64::MIN_POSITIVE),
            (0x3bcc, one, 0.0),
            (0x3bcc, one + 1, 5e-324),
            (0x3bcb, u64::MAX, 0.0),
            (0x0001, one, 0.0),
            (0x0000, 1, 0.0),
        ];
        for (head, significand, expected) in cases {
            assert_eq!(
                to_f64(f80(head, significand)).to_bits(),
                expected.to_bits(),
                "{head:#x} {significand:#x}"
            );
        }
    }

    #[test]
    fn invalid_encodings_and_nans_are_nan() {
        for (head, significand) in [
            (0x7fff, 0),
            (0x7fff, 1),
            (0x3fff, 0),
            (0x3fff, 1),
            (0x7fff, INTEGER_BIT | 1),
            (0xffff, u64::MAX),
        ] {
            assert!(to_f64(f80(head, significand)).is_nan(), "{head:#x} {significand:#x}");
        }
        let payload = f64::from_bits(0x7ff8_0000_dead_0001);
        assert_eq!(to_f64(from_f64(payload)).to_bits(), payload.to_bits());
        assert!(to_f64(from_f64(f64::from_bits(0x7ff0_0000_0000_0001))).is_nan());
    }

    #[test]
    fn every_exponent_of_f64_survives_the_round_trip() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for exponent in 0..0x7ff_u64 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let value = f64::from_bits(state & (1 << 63) | exponent << 52 | state >> 12 & FRACTION_64);
            assert_eq!(to_f64(from_f64(value)).to_bits(), value.to_bits());
        }
    }
}
