use super::*;
use wasmtime::{Engine, Extern, Instance, Memory, MemoryType as Type, Module as Compiled, Store};

const PAGES: u32 = 16;

#[test]
fn the_first_page_that_differs_is_found() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    let module = Compiled::new(&engine, comparer()).expect("a module");
    let memories = [1, 1, 1].map(|pages| Memory::new(&mut store, Type::new(pages, None)).expect("a memory"));
    let externs = memories.map(Extern::Memory);
    let instance = Instance::new(&mut store, &module, &externs).expect("an instance");
    let next = instance.get_typed_func::<(u32, u32), u32>(&mut store, "next").expect("a function");
    let [guest, copy, kept] = memories;
    let found = |store: &mut Store<()>, from| next.call(store, (from, PAGES)).expect("a page");

    assert_eq!(found(&mut store, 0), PAGES, "all of it is zero");
    for at in [4095, 4096, 4096 * 15 + 4095] {
        guest.data_mut(&mut store)[at] = 1;
    }
    assert_eq!([0, 1, 2, 15].map(|from| found(&mut store, from)), [0, 1, 15, 15], "against zero");
    for at in [4095, 4096] {
        copy.data_mut(&mut store)[at] = 1;
    }
    kept.data_mut(&mut store)[..2].fill(1);
    assert_eq!(found(&mut store, 0), 15, "against the copy");
    guest.data_mut(&mut store)[4096 + 77] = 0x80;
    assert_eq!(found(&mut store, 0), 1);
}
