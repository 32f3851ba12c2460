//! Decimal numbers of up to 512 bits: vector registers in JSON.

/// The decimal digits of a little-endian number.
pub(super) fn format(bytes: &[u8]) -> String {
    const PART: u64 = 1_000_000_000;
    let mut limbs: Vec<u32> = bytes.chunks(4).rev().map(limb).collect();
    let mut parts = Vec::new();
    while limbs.iter().any(|limb| *limb != 0) {
        let mut rest = 0;
        for limb in &mut limbs {
            let value = rest << 32 | u64::from(*limb);
            *limb = (value / PART) as u32;
            rest = value % PART;
        }
        parts.push(rest);
    }
    let Some(first) = parts.pop() else { return "0".to_owned() };
    let rest = parts.iter().rev().map(|part| format!("{part:09}"));
    std::iter::once(first.to_string()).chain(rest).collect()
}

fn limb(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |limb, byte| limb << 8 | u32::from(*byte))
}

/// The little-endian bytes of a decimal number; `None` for what is none, or has more than 512 bits.
pub(super) fn parse(digits: &str) -> Option<[u8; 64]> {
    let mut limbs = [0_u32; 16];
    if digits.is_empty() {
        return None;
    }
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(10)?);
        for limb in &mut limbs {
            carry += u64::from(*limb) * 10;
            *limb = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            return None;
        }
    }
    let mut bytes = [0; 64];
    for (limb, place) in limbs.iter().zip(bytes.chunks_exact_mut(4)) {
        place.copy_from_slice(&limb.to_le_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back() {
        let table =
            ["0", "7", "1000000000", "18446744073709551615", "340282366920938463463374607431768211456"];
        for digits in table {
            assert_eq!(format(&parse(digits).unwrap()), digits);
        }
        let most = format(&[0xff; 64]);
        assert_eq!((most.len(), parse(&most).unwrap()), (155, [0xff; 64]));
        assert!(most.starts_with("13407807929942597099") && most.ends_with("06084095"));
    }

    #[test]
    fn what_is_no_such_number_is_refused() {
        let too_large = format!("{}0", format(&[0xff; 64]));
        for text in ["", "-1", "1.5", "1e3", "x", too_large.as_str()] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
