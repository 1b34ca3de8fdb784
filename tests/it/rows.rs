//! (to come)
use crate::judge::*;
use crate::world::World;
#[test]
fn rows() {
    bench().unwrap();
    let t = "/t/m: NEEDED libA.so libno.so linux-vdso.so.1 ld-linux-x86-64.so.2; RUNPATH $ORIGIN/a\n/t/a/libA.so: NEEDED /t/a/../a/libB.so\n/t/a/libB.so:";
    println!("{}", (REAL.answer)(&World::parse(t)));
    println!("{}", (REAL.answer)(&World::parse(&format!("{t}\nlaunch run"))));
    println!(
        "{}",
        (REAL.answer)(&World::parse(&format!("{t}\n/t/libno.so:\nlaunch run\nenv LD_LIBRARY_PATH=/t")))
    );
    println!("{}", (REAL.answer)(&World::parse(&format!("musl\n{t}"))));
    println!("{}", (REAL.answer)(&World::parse(&format!("musl\n{t}\nlaunch run"))));
    println!(
        "{}",
        (REAL.answer)(&World::parse(&format!(
            "musl\n/t/m: NEEDED libA.so; RUNPATH $ORIGIN/a\n/t/a/libA.so: NEEDED libB.so\n/t/a/libB.so: \nlaunch run"
        )))
    );
    println!(
        "{}",
        (REAL.answer)(&World::parse(&format!(
            "{t}\ncache: libno.so 303 /x/libno.so\n/x/libno.so: SONAME foo"
        )))
    );
    println!("{}", (REAL.answer)(&World::parse(&format!("{t}\nlaunch ldso --inhibit-cache"))));
    println!("{}", (REAL.answer)(&World::parse(&format!("{t}\nlaunch list"))));
}
