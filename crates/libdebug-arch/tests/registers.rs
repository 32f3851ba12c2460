//! Names, widths and the rules by which a write to one name changes the others.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use libdebug_arch::x86_64::{
    Feature, GeneralRegisters, Location, Register, RegisterClass, RegisterError, RegisterValue, XsaveLayout,
    index, register, registers,
};

const RIP: &Register = register("rip").unwrap();

/// The offsets of an Intel server processor.
const AVX512: XsaveLayout = XsaveLayout {
    size: 2696,
    ymm_high: Some(576),
    opmask: Some(1088),
    zmm_high: Some(1152),
    hi16_zmm: Some(1664),
};
const AVX: XsaveLayout =
    XsaveLayout { size: 832, ymm_high: Some(576), opmask: None, zmm_high: None, hi16_zmm: None };
const SSE: XsaveLayout =
    XsaveLayout { size: 576, ymm_high: None, opmask: None, zmm_high: None, hi16_zmm: None };

struct Thread {
    general: GeneralRegisters,
    xstate: Vec<u8>,
    layout: XsaveLayout,
}

impl Thread {
    fn new(layout: XsaveLayout) -> Self {
        Self { general: GeneralRegisters::default(), xstate: vec![0; layout.size], layout }
    }

    fn read(&self, name: &str) -> Result<RegisterValue, RegisterError> {
        register(name).unwrap().read(&self.general, &self.xstate, &self.layout)
    }

    fn write(&mut self, name: &str, value: RegisterValue) -> Result<(), RegisterError> {
        register(name).unwrap().write(&value, &mut self.general, &mut self.xstate, &self.layout)
    }

    fn components(&self) -> u8 {
        self.xstate[512]
    }
}

fn wide(byte: u8, width: usize) -> RegisterValue {
    let mut bytes = [0; 64];
    bytes[..width].fill(byte);
    RegisterValue::Wide { bytes, width }
}

#[test]
fn every_name_is_there_once_with_its_width() {
    let general = "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip \
                   eflags cs ss ds es fs gs fs_base gs_base orig_rax";
    let double = "eax ebx ecx edx esi edi ebp esp r8d r9d r10d r11d r12d r13d r14d r15d";
    let word = "ax bx cx dx si di bp sp r8w r9w r10w r11w r12w r13w r14w r15w";
    let byte = "al bl cl dl sil dil bpl spl r8b r9b r10b r11b r12b r13b r14b r15b ah bh ch dh";
    let mut expected: Vec<(String, u16)> = Vec::new();
    for (names, bits) in [(general, 64), (double, 32), (word, 16), (byte, 8)] {
        expected.extend(names.split_whitespace().map(|name| (name.to_owned(), bits)));
    }
    for (prefix, count, bits) in
        [("xmm", 32, 128), ("ymm", 32, 256), ("zmm", 32, 512), ("mm", 8, 64), ("st", 8, 80)]
    {
        expected.extend((0..count).map(|number| (format!("{prefix}{number}"), bits)));
    }
    let mut found: Vec<(String, u16)> =
        registers().iter().map(|register| (register.name.to_owned(), register.bits)).collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn names_that_do_not_exist_are_not_found() {
    for name in ["", "ip", "eip", "RAX", "rax ", "ra", "xmm32", "zmm32", "mm8", "st8", "k0", "ymm"] {
        assert_eq!(register(name), None, "{name}");
    }
    for found in registers() {
        assert_eq!(register(found.name), Some(found));
    }
}

#[test]
fn general_registers_lie_where_linux_puts_them() {
    let order = "r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss \
                 fs_base gs_base ds es fs gs";
    let names: Vec<&str> = order.split_whitespace().collect();
    assert_eq!(names.len(), index::COUNT);
    for (at, name) in names.into_iter().enumerate() {
        assert_eq!(register(name).unwrap().location, Location::General { index: at, shift: 0 }, "{name}");
    }
}

#[test]
fn only_orig_rax_is_internal() {
    let internal: Vec<&str> = registers()
        .iter()
        .filter(|register| register.class == RegisterClass::Internal)
        .map(|register| register.name)
        .collect();
    assert_eq!(internal, ["orig_rax"]);
}

#[test]
fn narrow_writes_follow_the_processor() {
    let old = 0x1122_3344_5566_7788;
    let table: [(&str, u64, u64); 9] = [
        ("rax", u64::MAX, u64::MAX),
        ("eax", 0xdead_beef, 0xdead_beef),
        ("eax", 0xffff_ffff_0000_0001, 1),
        ("ax", 0xabcd, 0x1122_3344_5566_abcd),
        ("ax", u64::MAX, 0x1122_3344_5566_ffff),
        ("al", 0xab, 0x1122_3344_5566_77ab),
        ("al", 0x1ab, 0x1122_3344_5566_77ab),
        ("ah", 0xcd, 0x1122_3344_5566_cd88),
        ("ah", 0x1_00, 0x1122_3344_5566_0088),
    ];
    for (name, value, expected) in table {
        let mut thread = Thread::new(SSE);
        thread.general.0[index::RAX] = old;
        thread.write(name, RegisterValue::U64(value)).unwrap();
        assert_eq!(thread.general.0[index::RAX], expected, "{name} = {value:#x}");
        let others = thread.general.0.iter().filter(|&&other| other != 0).count();
        assert_eq!(others, 1, "{name} changed another register");
    }
}

#[test]
fn narrow_reads_take_their_part() {
    let mut thread = Thread::new(SSE);
    thread.general.0[index::RDX] = 0x1122_3344_5566_7788;
    for (name, expected) in
        [("rdx", 0x1122_3344_5566_7788), ("edx", 0x5566_7788), ("dx", 0x7788), ("dl", 0x88), ("dh", 0x77)]
    {
        assert_eq!(thread.read(name), Ok(RegisterValue::U64(expected)), "{name}");
    }
    thread.general.set_pc(0x40_1000);
    assert_eq!(RIP.read_general(&thread.general), Some(0x40_1000));
}

#[test]
fn every_register_reads_back_what_was_written() {
    for register in registers() {
        let mut thread = Thread::new(AVX512);
        let value = match register.bits {
            80 => RegisterValue::F80([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
            128 => RegisterValue::U128(u128::from_le_bytes([0xa5; 16])),
            256 | 512 => wide(0xa5, usize::from(register.bits) / 8),
            bits => RegisterValue::U64(0xa5a5_a5a5_a5a5_a5a5 >> (64 - bits)),
        };
        thread.write(register.name, value).unwrap();
        assert_eq!(thread.read(register.name), Ok(value), "{}", register.name);
    }
}

#[test]
fn a_vector_write_reaches_its_own_width_only() {
    for number in [0, 7, 15, 16, 31] {
        let mut thread = Thread::new(AVX512);
        thread.write(&format!("zmm{number}"), wide(0x11, 64)).unwrap();
        thread.write(&format!("ymm{number}"), wide(0x22, 32)).unwrap();
        thread.write(&format!("xmm{number}"), RegisterValue::U128(7)).unwrap();
        let mut expected = [0x11; 64];
        expected[..32].fill(0x22);
        expected[..16].copy_from_slice(&7u128.to_le_bytes());
        assert_eq!(
            thread.read(&format!("zmm{number}")),
            Ok(RegisterValue::Wide { bytes: expected, width: 64 }),
            "{number}"
        );
    }
}

#[test]
fn a_short_value_clears_the_rest_of_a_wide_register() {
    let mut thread = Thread::new(AVX512);
    thread.write("zmm3", wide(0xff, 64)).unwrap();
    thread.write("ymm3", RegisterValue::U64(5)).unwrap();
    let Ok(RegisterValue::Wide { bytes, .. }) = thread.read("zmm3") else { panic!("zmm3 is wide") };
    assert_eq!(bytes[0], 5);
    assert!(bytes[1..32].iter().all(|&byte| byte == 0));
    assert!(bytes[32..].iter().all(|&byte| byte == 0xff));
}

#[test]
fn writes_mark_exactly_their_components() {
    let table = [
        ("xmm0", 1 << 1),
        ("ymm0", 1 << 1 | 1 << 2),
        ("zmm0", 1 << 1 | 1 << 2 | 1 << 6),
        ("xmm16", 1 << 7),
        ("zmm31", 1 << 7),
        ("mm0", 1),
        ("rax", 0),
    ];
    for (name, expected) in table {
        let mut thread = Thread::new(AVX512);
        thread.write(name, RegisterValue::U64(1)).unwrap();
        assert_eq!(thread.components(), expected, "{name}");
        thread.xstate[512] = 0x20;
        thread.write(name, RegisterValue::U64(1)).unwrap();
        assert_eq!(thread.components(), expected | 0x20, "{name} cleared another component");
    }
    let mut thread = Thread::new(AVX512);
    thread.write("st0", RegisterValue::F80([1; 10])).unwrap();
    assert_eq!(thread.components(), 1);
}

#[test]
fn vector_bytes_lie_where_the_processor_stores_them() {
    let mut thread = Thread::new(AVX512);
    for (at, byte) in thread.xstate.iter_mut().enumerate() {
        *byte = (at / 16) as u8;
    }
    let Ok(RegisterValue::Wide { bytes, .. }) = thread.read("zmm2") else { panic!("zmm2 is wide") };
    assert_eq!([bytes[0], bytes[16], bytes[32], bytes[48]], [12, 38, 76, 77]);
    let Ok(RegisterValue::Wide { bytes, .. }) = thread.read("zmm17") else { panic!("zmm17 is wide") };
    assert_eq!([bytes[0], bytes[16], bytes[32], bytes[48]], [108, 109, 110, 111]);
}

#[test]
fn mmx_registers_are_physical_and_st_registers_relative_to_the_top() {
    for top in 0..8_usize {
        let mut thread = Thread::new(SSE);
        thread.xstate[3] = (top as u8) << 3;
        for number in 0..8_usize {
            thread.write(&format!("mm{number}"), RegisterValue::U64(number as u64 + 100)).unwrap();
        }
        for st in 0..8_usize {
            let physical = (st + top) & 7;
            let Ok(RegisterValue::F80(bytes)) = thread.read(&format!("st{st}")) else { panic!("st is f80") };
            assert_eq!(usize::from(bytes[0]), physical + 100, "st{st} with top {top}");
            assert_eq!(usize::from(thread.xstate[32 + 16 * st]), physical + 100);
        }
    }
}

#[test]
fn an_mmx_write_clears_the_rest_of_its_slot() {
    let mut thread = Thread::new(SSE);
    thread.xstate[32..48].fill(0xff);
    thread.write("mm0", RegisterValue::U64(1)).unwrap();
    assert_eq!(thread.xstate[32], 1);
    assert!(thread.xstate[33..48].iter().all(|&byte| byte == 0));
    assert_eq!(thread.xstate[48], 0);
}

#[test]
fn values_that_do_not_fit_change_nothing() {
    let table = [
        ("rip", RegisterValue::U128(1 << 64)),
        ("mm0", RegisterValue::U128(1 << 64)),
        ("xmm1", wide(1, 32)),
        ("ymm1", wide(1, 64)),
    ];
    for (name, value) in table {
        let mut thread = Thread::new(AVX512);
        let bits = register(name).unwrap().bits;
        let name = register(name).unwrap().name;
        assert_eq!(thread.write(name, value), Err(RegisterError::ValueOutOfRange { name, bits }));
        assert_eq!(thread.general, GeneralRegisters::default());
        assert!(thread.xstate.iter().all(|&byte| byte == 0), "{name}");
    }
    let mut thread = Thread::new(SSE);
    assert_eq!(thread.write("st0", RegisterValue::U64(1)), Err(RegisterError::WrongKind { name: "st0" }));
    let float = RegisterValue::F80([0; 10]);
    assert_eq!(thread.write("rax", float), Err(RegisterError::WrongKind { name: "rax" }));
    assert_eq!(thread.write("xmm0", float), Err(RegisterError::WrongKind { name: "xmm0" }));
}

#[test]
fn registers_of_another_processor_are_an_error() {
    let table = [(SSE, "ymm0"), (SSE, "zmm0"), (AVX, "zmm0"), (AVX, "xmm16"), (AVX, "ymm31")];
    for (layout, name) in table {
        let mut thread = Thread::new(layout);
        let register = register(name).unwrap();
        let expected = RegisterError::NotInThisCpu { name: register.name };
        assert!(!register.exists(&layout));
        assert_eq!(thread.read(name), Err(expected), "{name}");
        assert_eq!(thread.write(name, RegisterValue::U64(1)), Err(expected), "{name}");
        assert!(thread.xstate.iter().all(|&byte| byte == 0), "{name}");
    }
    assert_eq!(register("ymm15").unwrap().feature, Feature::Avx);
    assert_eq!(register("xmm16").unwrap().feature, Feature::Avx512);
}

#[test]
fn a_short_block_is_an_error_and_not_written_in_part() {
    let mut thread = Thread::new(AVX512);
    thread.xstate.truncate(600);
    assert!(thread.write("zmm0", wide(1, 64)).is_err());
    assert!(thread.xstate.iter().all(|&byte| byte == 0));
    thread.xstate.clear();
    for register in registers().iter().filter(|register| register.is_extended()) {
        assert!(thread.read(register.name).is_err(), "{}", register.name);
    }
}
